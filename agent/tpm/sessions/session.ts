import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import { TPM_RH, TPMA_SESSION } from "@muster/shared/tpm/constants";
import { kdfa } from "@muster/shared/tpm/kdf";

/** All sessions of Muster: SHA-256, and AES-128 in CFB mode where secrets cross the bus. */
export const SESSION_HASH = "sha256";
const KEY_BITS = 128;
const IV_BITS = 128;
/** A nonce as long as the digest (part 1, 19.6.5 asks for half of it at least). */
export const NONCE_SIZE = 32;

export type Random = (bytes: number) => Buffer;

/** One entry of the authorization area of a command (part 1, 18.4.1), and of its answer. */
export interface AuthEntry {
  readonly handle: number;
  readonly nonce: Buffer;
  readonly attributes: number;
  readonly hmac: Buffer;
}

/** The empty password: Muster uses no keys that have another. */
export const EMPTY_PASSWORD: AuthEntry = {
  handle: TPM_RH.RS_PW,
  nonce: Buffer.alloc(0),
  attributes: TPMA_SESSION.CONTINUE,
  hmac: Buffer.alloc(0),
};

/** What began a session. */
export interface SessionStart {
  readonly handle: number;
  readonly kind: "hmac" | "policy";
  /** Empty where it was not salted: then it proves and hides nothing. */
  readonly key: Buffer;
  readonly nonceTpm: Buffer;
}

/** A session with a TPM (part 1, 19). Authorizes with the empty password. */
export class AuthSession {
  readonly handle: number;
  readonly #kind: SessionStart["kind"];
  readonly #key: Buffer;
  readonly #random: Random;
  #nonceTpm: Buffer;
  #nonceCaller: Buffer = Buffer.alloc(0);
  #attributes = 0;

  constructor({ handle, kind, key, nonceTpm }: SessionStart, random: Random) {
    this.handle = handle;
    this.#kind = kind;
    this.#key = key;
    this.#nonceTpm = nonceTpm;
    this.#random = random;
  }

  /** True where it can hide the first parameter of a command or an answer. */
  get canHide(): boolean {
    return this.#key.length > 0;
  }

  /** Rolls the nonce of the caller; everything else about this command follows from it. */
  begin(attributes: number): void {
    this.#nonceCaller = this.#random(NONCE_SIZE);
    this.#attributes = attributes | TPMA_SESSION.CONTINUE;
  }

  /** Hides the data of a command's first parameter (part 1, 21.3). */
  hide(data: Buffer): Buffer {
    const { key, iv } = this.#keyStream(this.#nonceCaller, this.#nonceTpm);
    const cipher = createCipheriv("aes-128-cfb", key, iv);
    return Buffer.concat([cipher.update(data), cipher.final()]);
  }

  /** Opens the data of an answer's first parameter; after `check`. */
  open(data: Buffer): Buffer {
    const { key, iv } = this.#keyStream(this.#nonceTpm, this.#nonceCaller);
    const cipher = createDecipheriv("aes-128-cfb", key, iv);
    return Buffer.concat([cipher.update(data), cipher.final()]);
  }

  /** @param cpHash digest of command code, names and parameters (part 1, 18.7) */
  authorize(cpHash: Buffer): AuthEntry {
    const attributes = this.#attributes;
    const hmac = this.#hmac(cpHash, this.#nonceCaller, this.#nonceTpm, attributes);
    return { handle: this.handle, nonce: this.#nonceCaller, attributes, hmac };
  }

  /**
   * Takes the nonce of the TPM out of an answer and checks that the TPM made it.
   * @param rpHash digest of response code, command code and parameters (part 1, 18.8)
   * @throws MusterError `tpm.malformed` where the answer was changed on its way
   */
  check(rpHash: Buffer, { nonce, attributes, hmac }: Omit<AuthEntry, "handle">): void {
    this.#nonceTpm = Buffer.from(nonce);
    const expected = this.#hmac(rpHash, this.#nonceTpm, this.#nonceCaller, attributes);
    if (hmac.length !== expected.length || !timingSafeEqual(hmac, expected))
      throw new MusterError("tpm.malformed", "An answer of the TPM was changed on its way.");
  }

  #hmac(digest: Buffer, newer: Buffer, older: Buffer, attributes: number): Buffer {
    // Part 1, 19.6.5: a policy session that has no key has no HMAC either.
    if (this.#kind === "policy" && this.#key.length === 0) return Buffer.alloc(0);
    return createHmac(SESSION_HASH, this.#key)
      .update(digest)
      .update(newer)
      .update(older)
      .update(Buffer.of(attributes))
      .digest();
  }

  #keyStream(newer: Buffer, older: Buffer): { key: Buffer; iv: Buffer } {
    const bytes = kdfa(SESSION_HASH, this.#key, "CFB", newer, older, KEY_BITS + IV_BITS);
    return { key: bytes.subarray(0, KEY_BITS / 8), iv: bytes.subarray(KEY_BITS / 8) };
  }
}
