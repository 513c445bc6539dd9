import { setTimeout as delay } from "node:timers/promises";
import { asMusterError, type ErrorCode, type MusterError } from "@muster/shared/errors";
import { type BackoffRule, fullJitter } from "../backoff.ts";

/** Errors that end by themselves once an operator has set up the other side or the clock is right. */
const WAITING: readonly ErrorCode[] = ["trust.uninitialized", "certificate.server-untrusted", "storage.full"];

/**
 * Tries `enroll` until it succeeds, with full jitter between tries: boxes may be installed before the network is.
 * @throws MusterError at once for what another try does not mend, such as a token that is spent
 */
export async function enrollPatiently(
  enroll: () => Promise<unknown>,
  rule: BackoffRule,
  random: () => number,
  waiting: (error: MusterError, delayMs: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await enroll();
      return;
    } catch (cause) {
      const error = asMusterError(cause);
      if (!error.retryable && !WAITING.includes(error.code)) throw error;
      const delayMs = fullJitter(rule, failures, random());
      waiting(error, delayMs);
      await delay(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
