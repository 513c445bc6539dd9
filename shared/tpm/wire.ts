import { MusterError } from "../errors.ts";

/** Most bytes of one TPM2B: its size is 16 bits wide. */
const MOST_SIZED = 0xffff;

/**
 * Reads the big-endian structures of TPM 2.0 part 2. Copies nothing: what it returns lies in the bytes it was given.
 * Every method throws MusterError `tpm.malformed` where the bytes end too early.
 */
export class TpmReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** @param what name of the structure, for the sentence of an error */
  constructor(bytes: Uint8Array, what = "TPM structure") {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#step(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#step(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#step(8));
  }

  bytes(count: number): Buffer {
    const from = this.#step(count);
    return this.#bytes.subarray(from, from + count);
  }

  /** A TPM2B: 16 bits of size, then as many bytes. */
  sized(): Buffer {
    return this.bytes(this.u16());
  }

  /** Throws where anything is left: bytes behind a structure are signed by nobody. */
  end(): void {
    if (this.remaining > 0)
      throw new MusterError("tpm.malformed", `The ${this.#what} has ${this.remaining} bytes too many.`);
  }

  #step(count: number): number {
    if (count > this.remaining) {
      const short = count - this.remaining;
      throw new MusterError("tpm.malformed", `The ${this.#what} ends ${short} bytes too early.`);
    }
    const from = this.#at;
    this.#at += count;
    return from;
  }
}

/** Writes what TpmReader reads. Methods return the writer, so that calls can be chained. */
export class TpmWriter {
  readonly #parts: Buffer[] = [];

  u8(value: number): this {
    return this.bytes([value & 0xff]);
  }

  u16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16BE(value);
    return this.bytes(part);
  }

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    return this.bytes(part);
  }

  u64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(value);
    return this.bytes(part);
  }

  bytes(bytes: Uint8Array | readonly number[]): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  /** A TPM2B. @throws MusterError `tpm.malformed` above 65535 bytes */
  sized(bytes: Uint8Array): this {
    if (bytes.length > MOST_SIZED)
      throw new MusterError("tpm.malformed", `A sized buffer takes 65535 bytes, not ${bytes.length}.`);
    return this.u16(bytes.length).bytes(bytes);
  }

  build(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
