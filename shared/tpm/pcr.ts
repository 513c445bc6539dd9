import { digestOf, HASH_SIZE, type HashName } from "./hash.ts";

/** Values of PCRs by bank and index. */
export type PcrValues = Readonly<Partial<Record<HashName, Readonly<Record<number, Uint8Array>>>>>;

/** What extending makes of a PCR (part 1, 17.2): the hash of the old value and the digest. */
export const extendPcr = (bank: HashName, value: Uint8Array, digest: Uint8Array): Buffer =>
  digestOf(bank, value, digest);

/** Value after a start of the machine: ones for the PCRs that only a dynamic launch clears (PC client profile). */
export const resetPcr = (bank: HashName, pcr: number): Buffer =>
  Buffer.alloc(HASH_SIZE[bank], pcr >= 17 && pcr <= 22 ? 0xff : 0x00);
