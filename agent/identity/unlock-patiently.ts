import { setTimeout as delay } from "node:timers/promises";
import { asMusterError, type MusterError } from "@muster/shared/errors";
import { fullJitter } from "../backoff.ts";
import type { Identity } from "./identity.ts";

/** A TPM that comes back is found within a minute. */
const RULE = { minMs: 1_000, maxMs: 60_000 };

/**
 * Opens the keys of the device, and tries again until its TPM gives them: nobody visits the box to do it.
 * @param waiting told once for each kind of failure in a row
 */
export async function unlockPatiently(
  unlock: () => ReturnType<Identity["unlock"]>,
  random: () => number,
  waiting: (error: MusterError) => void,
  signal: AbortSignal,
): Promise<void> {
  let told: string | undefined;
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      return await unlock();
    } catch (cause) {
      const error = asMusterError(cause);
      if (error.code !== told && !signal.aborted) waiting(error);
      told = error.code;
      await delay(fullJitter(RULE, failures, random()), undefined, { signal }).catch(() => undefined);
    }
  }
}
