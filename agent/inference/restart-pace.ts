import { restartDelay } from "./backoff.ts";
import type { InferenceSettings } from "./settings.ts";

type Rules = Pick<InferenceSettings, "restartMinSeconds" | "restartMaxSeconds" | "stableSeconds">;

/** How long to wait before a runner is started again: longer each time, until one was stable. Monotonic milliseconds. */
export class RestartPace {
  readonly #rules: Rules;
  #attempts = 0;
  #readySince: number | undefined;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** A runner serves. */
  ready(at: number): void {
    this.#readySince ??= at;
  }

  /** The runner is gone. */
  lost(at: number): void {
    if (this.#readySince !== undefined && at - this.#readySince >= this.#rules.stableSeconds * 1000)
      this.reset();
    this.#readySince = undefined;
  }

  /** Something else is tried now. */
  reset(): void {
    this.#attempts = 0;
  }

  /** @returns the next wait, milliseconds */
  next(): number {
    const { restartMinSeconds, restartMaxSeconds } = this.#rules;
    const seconds = restartDelay(this.#attempts, restartMinSeconds, restartMaxSeconds);
    this.#attempts += 1;
    return seconds * 1000;
  }
}
