import { catalogue } from "@muster/shared/errors";
import type { DeviceRecord, Rollout } from "./model.ts";

/** A number from 0 to 1 that depends on the text alone (FNV-1a). */
function drawn(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0) / 4_294_967_296;
}

const isRetryable = (code: string): boolean =>
  Object.hasOwn(catalogue, code) && catalogue[code as keyof typeof catalogue].retryable;

/**
 * A failure as the plan takes it: one that time may mend (`retryable` in the error catalogue) is tried again
 * after `baseSeconds`, twice that, and so on up to `maxSeconds`, each up to a quarter longer so that devices
 * that failed together do not come back together. What a device refused is never tried again.
 */
export function retryOrFail(rollout: Rollout, failed: DeviceRecord, now: number): DeviceRecord {
  const { max, baseSeconds, maxSeconds } = rollout.plan.retries;
  const goesOn = rollout.state === "running" || rollout.state === "paused" || rollout.state === "completed";
  const mayMend = failed.outcome !== "rejected" && isRetryable(failed.failure?.code ?? "");
  if (!goesOn || !mayMend || failed.attempts > max) return failed;
  const seconds = Math.min(maxSeconds, baseSeconds * 2 ** (failed.attempts - 1));
  const jitter = 1 + drawn(`${rollout.seed}/${failed.device}/${failed.attempts}`) / 4;
  return { ...failed, status: "retrying", notBefore: now + Math.round(seconds * 1000 * jitter) };
}
