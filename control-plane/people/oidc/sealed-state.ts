import { randomBytes } from "node:crypto";
import { decrypt, encrypt } from "../../storage/aead.ts";

/** What is sealed here is nothing else than a sign-in under way. */
const ABOUT = "sign-in";

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
    const text = JSON.stringify({ state, until: this.#now() + this.#lifeMs });
    return encrypt(this.#key, ABOUT, Buffer.from(text)).toString("base64url");
  }

  /** Undefined for what is not ours, was changed, or is too old. */
  open(text: string | undefined): T | undefined {
    const opened = decrypt(this.#key, ABOUT, Buffer.from(text ?? "", "base64url"));
    if (!opened) return undefined;
    const { state, until } = JSON.parse(opened.toString("utf8")) as { state: T; until: number };
    return until > this.#now() ? state : undefined;
  }
}
