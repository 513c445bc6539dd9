import { createCipheriv, createHash } from "node:crypto";
import {
  chunksIn,
  damaged,
  derive,
  encodeHead,
  nonceOf,
  requireHeader,
  type SealedHeader,
} from "./header.ts";

/** Bytes of a chunk unless told otherwise. */
const CHUNK_BYTES = 64 * 1024;

/** What is to be sealed. */
export interface SealOrder {
  /** Id of the key, 32 hex digits. */
  key: string;
  /** 32 random bytes for this file alone, hex. */
  salt: string;
  /** `sha256:<hex>` of the file as it is. */
  digest: string;
  /** Bytes of the file as it is. */
  size: number;
  chunkBytes?: number;
}

/** Seals a file chunk by chunk; see header.ts for the format. */
export class Sealer {
  /** The beginning of the sealed file. */
  readonly head: Buffer;
  readonly #header: SealedHeader;
  readonly #fileKey: Buffer;
  readonly #bound: Buffer;
  #next = 0;

  /**
   * @param secret the 32 bytes of the key
   * @throws MusterError `key.sealed-invalid` for an order that no file can have
   */
  constructor(order: SealOrder, secret: Uint8Array) {
    const { fileKey, check } = derive(secret, order.salt);
    this.#header = requireHeader({ v: 1, chunkBytes: CHUNK_BYTES, ...order, check: check.toString("hex") });
    this.#fileKey = fileKey;
    this.head = encodeHead(this.#header);
    this.#bound = createHash("sha256").update(this.head).digest();
  }

  /** Bytes that the next chunk has to have; 0 behind the last one. */
  get nextBytes(): number {
    const { chunkBytes, size } = this.#header;
    return Math.max(0, Math.min(chunkBytes, size - this.#next * chunkBytes));
  }

  /** The next chunk, sealed. @throws MusterError `key.sealed-invalid` for one that has not `nextBytes` */
  seal(chunk: Uint8Array): Buffer {
    if (this.nextBytes === 0 || chunk.byteLength !== this.nextBytes)
      throw damaged("what is sealed has not the size that was announced");
    const index = this.#next;
    this.#next += 1;
    const isLast = this.#next === chunksIn(this.#header);
    const cipher = createCipheriv("aes-256-gcm", this.#fileKey, nonceOf(index, isLast));
    cipher.setAAD(this.#bound);
    return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
  }

  /** To be called once nothing more is sealed. */
  wipe(): void {
    this.#fileKey.fill(0);
  }
}
