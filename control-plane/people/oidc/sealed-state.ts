import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const NONCE = 12;
const TAG = 16;

/**
 * Keeps a small state with the browser, so that strangers who begin to sign in fill no memory here. It opens only in
 * this process and only for a time.
 */
export class SealedState<T> {
  readonly #key = randomBytes(32);
  readonly #lifeMs: number;
  readonly #now: () => number;

  constructor(lifeMs: number, now: () => number) {
    this.#lifeMs = lifeMs;
    this.#now = now;
  }

  seal(state: T): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const text = JSON.stringify({ state, until: this.#now() + this.#lifeMs });
    return Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
      "base64url",
    );
  }

  /** Undefined for what is not ours, was changed, or is too old. */
  open(text: string | undefined): T | undefined {
    const bytes = Buffer.from(text ?? "", "base64url");
    if (bytes.length < NONCE + TAG) return undefined;
    const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE));
    decipher.setAuthTag(bytes.subarray(-TAG));
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]);
      const { state, until } = JSON.parse(opened.toString("utf8")) as { state: T; until: number };
      return until > this.#now() ? state : undefined;
    } catch {
      return undefined;
    }
  }
}
