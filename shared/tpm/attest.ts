import { MusterError } from "../errors.ts";
import { TPM_GENERATED, TPM_ST } from "./constants.ts";
import { type HashName, hashNameFrom } from "./hash.ts";
import { TpmReader } from "./wire.ts";

/** One bank of a PCR selection; indices ascend, as they are hashed. */
export interface PcrSelection {
  readonly bank: HashName;
  readonly indices: readonly number[];
}

/** TPMS_CLOCK_INFO (part 2, 10.11.1). */
export interface ClockInfo {
  /** Milliseconds that the TPM was powered, all together. */
  readonly clock: bigint;
  /** Starts without a state that was saved before. */
  readonly resetCount: number;
  /** Resumptions since the last reset. */
  readonly restartCount: number;
  /** False after a power cut, until the clock has passed every value that it may have shown before. */
  readonly safe: boolean;
}

/** TPMS_ATTEST (part 2, 10.12.8): what a TPM says about itself under its signature. */
export interface Attest {
  readonly type: "quote" | "certify" | "creation";
  /** Qualified name of the key that signed. */
  readonly qualifiedSigner: Buffer;
  /** What the caller wanted in: the nonce. */
  readonly extraData: Buffer;
  readonly clock: ClockInfo;
  readonly firmwareVersion: bigint;
  readonly quote?: { readonly selection: readonly PcrSelection[]; readonly digest: Buffer };
  readonly certify?: { readonly name: Buffer; readonly qualifiedName: Buffer };
  readonly creation?: { readonly objectName: Buffer; readonly creationHash: Buffer };
}

const MOST_SELECTIONS = 16;
/** Bytes of a selection's bitmap: PCR 0 to 31; platforms have 24. */
const MOST_SELECT_BYTES = 4;
const TYPES = new Map<number, Attest["type"]>([
  [TPM_ST.ATTEST_QUOTE, "quote"],
  [TPM_ST.ATTEST_CERTIFY, "certify"],
  [TPM_ST.ATTEST_CREATION, "creation"],
]);

/** Reads a TPMS_ATTEST, whole. @throws MusterError `tpm.malformed` */
export function parseAttest(bytes: Uint8Array): Attest {
  const reader = new TpmReader(bytes, "TPMS_ATTEST");
  if (reader.u32() !== TPM_GENERATED)
    throw new MusterError("tpm.malformed", "No TPM made this: it does not begin with the magic number.");
  const tag = reader.u16();
  const type = TYPES.get(tag);
  if (!type)
    throw new MusterError("tpm.malformed", `Attestations of type 0x${tag.toString(16)} are not taken.`);
  const head = {
    type,
    qualifiedSigner: reader.sized(),
    extraData: reader.sized(),
    clock: readClock(reader),
    firmwareVersion: reader.u64(),
  };
  const attest: Attest =
    type === "quote"
      ? { ...head, quote: { selection: readSelection(reader), digest: reader.sized() } }
      : type === "certify"
        ? { ...head, certify: { name: reader.sized(), qualifiedName: reader.sized() } }
        : { ...head, creation: { objectName: reader.sized(), creationHash: reader.sized() } };
  reader.end();
  return attest;
}

function readClock(reader: TpmReader): ClockInfo {
  const clock = reader.u64();
  const resetCount = reader.u32();
  const restartCount = reader.u32();
  const safe = reader.u8();
  if (safe > 1) throw new MusterError("tpm.malformed", `"safe" is yes or no, not ${safe}.`);
  return { clock, resetCount, restartCount, safe: safe === 1 };
}

/** Reads a TPML_PCR_SELECTION (part 2, 10.9.7). @throws MusterError `tpm.malformed` */
export function readSelection(reader: TpmReader): PcrSelection[] {
  const count = reader.u32();
  if (count > MOST_SELECTIONS)
    throw new MusterError("tpm.malformed", `A selection of ${count} banks is not taken.`);
  const selections: PcrSelection[] = [];
  for (let i = 0; i < count; i++) {
    const bank = hashNameFrom(reader.u16());
    if (selections.some((earlier) => earlier.bank === bank))
      throw new MusterError("tpm.malformed", `The selection names the bank ${bank} twice.`);
    const size = reader.u8();
    if (size > MOST_SELECT_BYTES)
      throw new MusterError("tpm.malformed", `A selection of ${size * 8} PCRs is not taken.`);
    const bitmap = reader.bytes(size);
    const indices: number[] = [];
    for (let pcr = 0; pcr < size * 8; pcr++)
      if (((bitmap[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) indices.push(pcr);
    selections.push({ bank, indices });
  }
  return selections;
}
