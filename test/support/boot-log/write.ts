import { createHash } from "node:crypto";
import { EV } from "@muster/shared/tpm/event-types";
import { HASH_SIZE, type HashName, hashId } from "@muster/shared/tpm/hash";

/** An event to be logged: `measured` is what its digests are taken over, `data` by default. */
export interface LoggedEvent {
  readonly pcr: number;
  readonly type: number;
  readonly data: Buffer;
  readonly measured?: Buffer;
}

const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);

/** Digests that the firmware extends: zeros for what it extends nothing for. */
export const digestIn = (bank: HashName, event: LoggedEvent): Buffer =>
  event.type === EV.NO_ACTION
    ? Buffer.alloc(HASH_SIZE[bank])
    : createHash(bank)
        .update(event.measured ?? event.data)
        .digest();

/** A boot log in the crypto-agile format, from Spec-ID header to last event. */
export function writeBootLog(
  events: readonly LoggedEvent[],
  banks: readonly HashName[] = ["sha1", "sha256"],
): Buffer {
  const specId = Buffer.concat([
    Buffer.from("Spec ID Event03\0"),
    ...[u32(0), Buffer.of(0, 2, 0, 2), u32(banks.length)],
    ...banks.flatMap((bank) => [u16(hashId(bank)), u16(HASH_SIZE[bank])]),
    Buffer.of(0),
  ]);
  const header = writeSha1BootLog([{ pcr: 0, type: EV.NO_ACTION, data: specId }]);
  const records = events.map((event) =>
    Buffer.concat([
      ...[u32(event.pcr), u32(event.type), u32(banks.length)],
      ...banks.flatMap((bank) => [u16(hashId(bank)), digestIn(bank, event)]),
      ...[u32(event.data.length), event.data],
    ]),
  );
  return Buffer.concat([header, ...records]);
}

/** A boot log in the format of TPM 1.2, which some firmware still writes. */
export const writeSha1BootLog = (events: readonly LoggedEvent[]): Buffer =>
  Buffer.concat(
    events.map((event) =>
      Buffer.concat([
        ...[u32(event.pcr), u32(event.type), digestIn("sha1", event)],
        ...[u32(event.data.length), event.data],
      ]),
    ),
  );
