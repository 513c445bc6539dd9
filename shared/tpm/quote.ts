import { timingSafeEqual } from "node:crypto";
import { isMusterError, MusterError } from "../errors.ts";
import { type Attest, type ClockInfo, type PcrSelection, parseAttest } from "./attest.ts";
import { digestOf, HASH_SIZE, type HashName } from "./hash.ts";
import type { PcrValues } from "./pcr.ts";
import type { PublicArea } from "./public-area.ts";
import { verifyAttest } from "./signature.ts";

export interface QuoteToVerify {
  readonly ak: PublicArea;
  /** TPMS_ATTEST as it was signed. */
  readonly quote: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  /** The qualifying data that was asked for. */
  readonly nonce: Uint8Array;
  /** Values that the device claims; those that the quote does not cover are left out of the answer. */
  readonly pcrs: PcrValues;
  /** What the quote must cover at least. */
  readonly required: { readonly bank: HashName; readonly indices: readonly number[] };
}

/** What a quote proves. */
export interface VerifiedQuote {
  readonly qualifiedSigner: Buffer;
  readonly clock: ClockInfo;
  readonly firmwareVersion: bigint;
  readonly selection: readonly PcrSelection[];
  /** Exactly the PCRs of the signed selection. */
  readonly pcrs: PcrValues;
}

const invalid = (what: string, cause?: unknown): MusterError =>
  new MusterError("attestation.quote-invalid", what, { cause });

/**
 * Checks signature, type, nonce and PCR values of a quote. Which PCRs it covers is taken from the signed selection
 * alone, because the digest of a quote does not say it (CVE-2022-0317, CVE-2024-29039).
 * @throws MusterError `attestation.quote-invalid` whose sentence names the check, `tpm.key-unfit`
 */
export function verifyQuote(input: QuoteToVerify): VerifiedQuote {
  const attest = readVerified(input);
  if (attest.type !== "quote" || !attest.quote)
    throw invalid(`This is a statement of type "${attest.type}", not a quote.`);
  if (!isSame(attest.extraData, input.nonce))
    throw invalid("The quote answers another challenge: its nonce differs.");
  const { selection, digest } = attest.quote;
  requireCovered(selection, input.required);
  const pcrs: Partial<Record<HashName, Record<number, Uint8Array>>> = {};
  const values: Uint8Array[] = [];
  for (const { bank, indices } of selection) {
    const claimed = input.pcrs[bank];
    const covered: Record<number, Uint8Array> = {};
    for (const pcr of indices) {
      const value = claimed && Object.hasOwn(claimed, pcr) ? claimed[pcr] : undefined;
      if (!value) throw invalid(`The value of PCR ${pcr} (${bank}), which the quote covers, is missing.`);
      if (value.length !== HASH_SIZE[bank])
        throw invalid(`The value of PCR ${pcr} (${bank}) has ${value.length} bytes.`);
      covered[pcr] = value;
      values.push(value);
    }
    pcrs[bank] = covered;
  }
  if (!isSame(digest, digestOf(input.ak.scheme!.hash, Buffer.concat(values))))
    throw invalid("The PCR values are not those that the TPM signed.");
  const { qualifiedSigner, clock, firmwareVersion } = attest;
  return { qualifiedSigner, clock, firmwareVersion, selection, pcrs };
}

/** The signature comes first: nothing is parsed further that no TPM signed. */
function readVerified({ ak, quote, signature }: QuoteToVerify): Attest {
  try {
    if (!verifyAttest(ak, quote, signature))
      throw invalid("The quote is not signed by the attestation key of this device.");
    return parseAttest(quote);
  } catch (error) {
    if (isMusterError(error, "tpm.malformed")) throw invalid(error.message, error);
    throw error;
  }
}

function requireCovered(selection: readonly PcrSelection[], required: QuoteToVerify["required"]): void {
  const signed = new Set(selection.find(({ bank }) => bank === required.bank)?.indices);
  const missing = required.indices.filter((pcr) => !signed.has(pcr));
  if (missing.length > 0)
    throw invalid(`The quote does not cover PCR ${missing.join(", ")} of the bank ${required.bank}.`);
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
