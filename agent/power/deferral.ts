import type { PowerPolicyPayload } from "@muster/shared/protocol/power-policy";
import { isOpen, nextOpening } from "@muster/shared/time/opening";

/**
 * Until when best-effort work waits by the policy, null where it may run: inside of a window, without a policy that
 * defers, and after the policy's end. Milliseconds since the epoch.
 */
export function deferredUntil(policy: PowerPolicyPayload | null, now: number): number | null {
  if (policy === null || policy.bestEffortOutside === "run" || now >= policy.notAfter) return null;
  const { windows, timeZone, notAfter } = policy;
  if (windows.length === 0) return notAfter;
  if (isOpen(windows, timeZone, now)) return null;
  return Math.min(nextOpening(windows, timeZone, now), notAfter);
}
