import { createHash, randomBytes } from "node:crypto";

/** Codes that wait at a time; the oldest goes for a new one. */
const MOST = 1_000;

interface Waiting<T> {
  value: T;
  challenge: string;
  until: number;
}

/** Codes that are good once, for a short time, and for who knows the verifier of their challenge (RFC 7636). */
export class OneTimeCodes<T> {
  readonly #waiting = new Map<string, Waiting<T>>();
  readonly #lifeMs: number;
  readonly #now: () => number;

  constructor(lifeMs: number, now: () => number) {
    this.#lifeMs = lifeMs;
    this.#now = now;
  }

  issue(value: T, challenge: string): string {
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= MOST && oldest !== undefined) this.#waiting.delete(oldest);
    const code = randomBytes(32).toString("base64url");
    this.#waiting.set(code, { value, challenge, until: this.#now() + this.#lifeMs });
    return code;
  }

  /** What the code stands for; undefined for one that is unknown, used, too old, or of another's challenge. */
  redeem(code: string, verifier: string): T | undefined {
    const found = this.#waiting.get(code);
    this.#waiting.delete(code);
    if (!found || found.until <= this.#now()) return undefined;
    return challengeOf(verifier) === found.challenge ? found.value : undefined;
  }
}

/** `S256` of RFC 7636 section 4.2. */
export const challengeOf = (verifier: string): string =>
  createHash("sha256").update(verifier).digest("base64url");
