import type { Attest, ClockInfo } from "@muster/shared/tpm/attest";
import { TPM_GENERATED, TPM_ST } from "@muster/shared/tpm/constants";
import { digestOf, type HashName, hashId } from "@muster/shared/tpm/hash";
import { nameOf } from "@muster/shared/tpm/public-area";
import { TpmWriter } from "@muster/shared/tpm/wire";
import type { MadeKey } from "./keys.ts";

const TAGS = {
  quote: TPM_ST.ATTEST_QUOTE,
  certify: TPM_ST.ATTEST_CERTIFY,
  creation: TPM_ST.ATTEST_CREATION,
};

/** TPMS_ATTEST as a TPM writes it. */
export function writeAttest(attest: Attest): Buffer {
  const { clock, quote, certify, creation } = attest;
  const writer = new TpmWriter()
    .u32(TPM_GENERATED)
    .u16(TAGS[attest.type])
    .sized(attest.qualifiedSigner)
    .sized(attest.extraData)
    .u64(clock.clock)
    .u32(clock.resetCount)
    .u32(clock.restartCount)
    .u8(clock.safe ? 1 : 0)
    .u64(attest.firmwareVersion);
  if (quote) {
    writer.u32(quote.selection.length);
    for (const { bank, indices } of quote.selection) {
      const bitmap = Buffer.alloc(3);
      for (const pcr of indices) bitmap[pcr >> 3] = (bitmap[pcr >> 3] ?? 0) | (1 << (pcr & 7));
      writer.u16(hashId(bank)).u8(3).bytes(bitmap);
    }
    writer.sized(quote.digest);
  }
  if (certify) writer.sized(certify.name).sized(certify.qualifiedName);
  if (creation) writer.sized(creation.objectName).sized(creation.creationHash);
  return writer.build();
}

export interface QuoteToMake {
  readonly key: MadeKey;
  readonly nonce: Uint8Array;
  readonly bank: HashName;
  /** Values by index; all of them are quoted. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  readonly clock?: Partial<ClockInfo>;
}

/** A quote as a TPM with these values makes it: TPMS_ATTEST and TPMT_SIGNATURE. */
export function makeQuote({ key, nonce, bank, pcrs, clock }: QuoteToMake): {
  quote: Buffer;
  signature: Buffer;
} {
  const indices = [...pcrs.keys()].sort((a, b) => a - b);
  const hash = key.area.scheme?.hash ?? "sha256";
  const quote = writeAttest({
    type: "quote",
    qualifiedSigner: nameOf(key.area),
    extraData: Buffer.from(nonce),
    clock: { clock: 1_000_000n, resetCount: 3, restartCount: 0, safe: true, ...clock },
    firmwareVersion: 0x2019102300163636n,
    quote: {
      selection: [{ bank, indices }],
      digest: digestOf(hash, ...indices.map((pcr) => pcrs.get(pcr) ?? Buffer.alloc(0))),
    },
  });
  return { quote, signature: key.sign(quote) };
}
