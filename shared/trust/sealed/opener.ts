import { createDecipheriv, createHash, timingSafeEqual } from "node:crypto";
import { MusterError } from "../../errors.ts";
import { chunksIn, damaged, decodeHead, derive, nonceOf, type SealedHeader, TAG_BYTES } from "./header.ts";

/** Opens the chunks of a sealed file in their order; see header.ts for the format. */
export class Opener {
  readonly header: SealedHeader;
  readonly #chunks: number;
  readonly #fileKey: Buffer;
  readonly #bound: Buffer;
  #next = 0;

  /**
   * @param head all that stands before the chunks
   * @param secret the 32 bytes of the key
   * @throws MusterError `key.wrong` for another key than the one that it was sealed with, `key.sealed-invalid`
   */
  constructor(head: Buffer, secret: Uint8Array) {
    this.header = decodeHead(head);
    const { fileKey, check } = derive(secret, this.header.salt);
    if (!timingSafeEqual(check, Buffer.from(this.header.check, "hex"))) throw new MusterError("key.wrong");
    this.#fileKey = fileKey;
    this.#bound = createHash("sha256").update(head).digest();
    this.#chunks = chunksIn(this.header);
  }

  /** Bytes that the next chunk takes in the sealed file; 0 behind the last one. */
  get nextBytes(): number {
    if (this.#next >= this.#chunks) return 0;
    const { chunkBytes, size } = this.header;
    return Math.min(chunkBytes, size - this.#next * chunkBytes) + TAG_BYTES;
  }

  /**
   * The next chunk, opened. The caller wipes it.
   * @throws MusterError `key.sealed-invalid` for any other bytes than those that were sealed there
   */
  open(sealed: Uint8Array): Buffer {
    if (this.nextBytes === 0 || sealed.byteLength !== this.nextBytes)
      throw damaged("it is shorter or longer than its header says");
    const index = this.#next;
    const end = sealed.byteLength - TAG_BYTES;
    const decipher = createDecipheriv(
      "aes-256-gcm",
      this.#fileKey,
      nonceOf(index, index + 1 === this.#chunks),
    );
    decipher.setAAD(this.#bound);
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      plain.fill(0);
      throw damaged(`chunk ${index + 1} of ${this.#chunks} is not the one that was sealed there`);
    }
    this.#next += 1;
    return plain;
  }

  /** To be called once nothing more is opened. */
  wipe(): void {
    this.#fileKey.fill(0);
  }
}
