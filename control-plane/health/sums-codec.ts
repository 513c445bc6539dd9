import { MusterError } from "@muster/shared/errors";
import { noSums, SUMS_LENGTH, type Sums, VITAL_PLACES, VITALS, VITALS_AT } from "./sums.ts";

/** First byte of what is stored: a change of the places in `Sums` needs another one. */
const FORMAT = 2;
/** Longest varint of a safe integer, bytes. */
const MOST_VARINT = 8;

const scratch = Buffer.alloc(1 + SUMS_LENGTH * (1 + MOST_VARINT));

const SCALES = Array.from({ length: SUMS_LENGTH }, (_, place) => {
  const vital = place < VITALS_AT ? undefined : VITALS[Math.floor((place - VITALS_AT) / VITAL_PLACES)];
  const isCount = (place - VITALS_AT) % VITAL_PLACES === 0;
  return vital && !isCount ? vital.scale : 1;
});

/** Half of the safe integers: zigzag doubles it. */
const MOST = Math.floor(Number.MAX_SAFE_INTEGER / 2);

const storable = (value: number): number =>
  Number.isNaN(value) ? 0 : Math.min(MOST, Math.max(-MOST, value));

/**
 * The numbers that are not 0, each after its place, as zigzag varints: some 150 bytes for a device. What is beyond a
 * safe integer (half of it), which only a device that makes numbers up can reach, is kept as the largest one.
 */
export function encodeSums(sums: Sums): Buffer {
  let end = 0;
  scratch[end++] = FORMAT;
  for (let place = 0; place < SUMS_LENGTH; place += 1) {
    const scaled = storable(Math.round(sums[place]! * SCALES[place]!));
    if (scaled === 0) continue;
    scratch[end++] = place;
    // Beyond 2^31 by arithmetic: bit operations know no more.
    let rest = scaled < 0 ? -2 * scaled - 1 : 2 * scaled;
    while (rest >= 0x80) {
      scratch[end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    scratch[end++] = rest;
  }
  return Buffer.from(scratch.subarray(0, end));
}

/** @throws MusterError `storage.broken` for bytes that `encodeSums` did not write */
export function decodeSums(bytes: Uint8Array): Sums {
  const sums = noSums();
  let at = 1;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw new MusterError("storage.broken", "Stored health figures end too early.");
    return byte;
  };
  if (bytes[0] !== FORMAT) throw new MusterError("storage.broken", "Stored health figures cannot be read.");
  while (at < bytes.length) {
    const place = next();
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = next();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    if (place >= SUMS_LENGTH) continue;
    sums[place] = (value % 2 === 1 ? -(value + 1) / 2 : value / 2) / SCALES[place]!;
  }
  return sums;
}
