import { MusterError } from "@muster/shared/errors";
import { parseAttest } from "@muster/shared/tpm/attest";
import { digestOf } from "@muster/shared/tpm/hash";
import { parseSignature } from "@muster/shared/tpm/signature";
import type { Channel } from "./channel.ts";
import { quote } from "./commands/attest.ts";
import type { KeyInTpm } from "./commands/object.ts";
import { PCR_COUNT, pcrRead } from "./commands/pcr.ts";
import type { PcrChoice, TpmQuote } from "./face.ts";

const AT_ONCE = 8;
const MOST_TRIES = 8;
/** TPM2B_DATA holds a hash and its algorithm; every TPM takes a SHA-512 digest. */
const MOST_QUALIFYING_BYTES = 64;

/** Ascending and each once, as a TPM takes them. @throws MusterError `tpm.failed` */
function ordered({ bank, indices }: PcrChoice): PcrChoice {
  const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= PCR_COUNT);
  if (wrong !== undefined || indices.length === 0)
    throw new MusterError(
      "tpm.failed",
      `PCRs are numbered from 0 to ${PCR_COUNT - 1}; ${wrong ?? "none"} is none.`,
    );
  return { bank, indices: [...new Set(indices)].sort((a, b) => a - b) };
}

/** @throws MusterError `tpm.unsupported` where the bank is not in use */
export async function readPcrs(channel: Channel, choice: PcrChoice): Promise<Map<number, Buffer>> {
  const { bank, indices } = ordered(choice);
  const values = new Map<number, Buffer>();
  for (let at = 0; at < indices.length; at += AT_ONCE) {
    const part = indices.slice(at, at + AT_ONCE);
    const read = await pcrRead(channel, { bank, indices: part });
    for (const index of part) {
      const value = read.get(index);
      if (!value)
        throw new MusterError("tpm.unsupported", `The TPM has no PCR ${index} in the bank ${bank}.`);
      values.set(index, value);
    }
  }
  return values;
}

/**
 * A quote together with the values that it is about: a quote has only a digest of them, and they may change between
 * the two commands.
 * @throws MusterError `tpm.busy` where they change again and again
 */
export async function quoteWithValues(
  channel: Channel,
  key: KeyInTpm,
  choice: PcrChoice,
  qualifyingData: Uint8Array,
): Promise<TpmQuote> {
  if (qualifyingData.length > MOST_QUALIFYING_BYTES)
    throw new MusterError(
      "tpm.failed",
      `At most ${MOST_QUALIFYING_BYTES} bytes go into a quote, not ${qualifyingData.length}.`,
    );
  const pcrs = ordered(choice);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const values = await readPcrs(channel, pcrs);
    const { attest, signature } = await quote(channel, key, pcrs, qualifyingData);
    const { clock, quote: quoted } = parseAttest(attest);
    if (quoted?.digest.equals(digestOf(parseSignature(signature).hash, ...values.values())))
      return { quote: attest, signature, pcrs: values, clock };
  }
  throw new MusterError("tpm.busy", "The PCRs change faster than they can be read.");
}
