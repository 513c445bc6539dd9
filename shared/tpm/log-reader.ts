import { MusterError } from "../errors.ts";

/** Reads little-endian fields of a boot log and of the structures in it; says where it stopped. */
export class LogReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#step(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#step(4));
  }

  /** Lengths and addresses of UEFI. Those above 2^53 are no lengths of anything here, and not exact. */
  u64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#step(8)));
  }

  bytes(count: number): Buffer {
    const from = this.#step(count);
    return this.#bytes.subarray(from, from + count);
  }

  /** Where the bytes begin that all have this value up to the end; the length where the last one has another. */
  paddingFrom(value: number): number {
    let from = this.#bytes.length;
    while (from > 0 && this.#bytes[from - 1] === value) from -= 1;
    return from;
  }

  #step(count: number): number {
    if (count > this.remaining)
      throw new MusterError("attestation.log-malformed", `The log ends within the record at ${this.#at}.`);
    const from = this.#at;
    this.#at += count;
    return from;
  }
}
