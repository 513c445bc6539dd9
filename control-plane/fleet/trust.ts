import type { VerdictTier } from "../attestation/verdict.ts";
import type { DeviceFacts, StoredVerdict } from "./fleet-device.ts";

/** A verdict of this moment: an outdated one is `none`, but silence is no way out of a bad one. */
export function tierAt(verdict: StoredVerdict | null, now: number): VerdictTier {
  if (verdict === null) return "none";
  return now >= verdict.notAfter && verdict.tier !== "contraindicated" ? "none" : verdict.tier;
}

/** Why a device gets nothing new at this moment, one sentence; null for one that passes. */
export function withheldBecause(
  { status, quarantinedReason }: Pick<DeviceFacts, "status" | "quarantinedReason">,
  verdict: StoredVerdict | null,
  now: number,
): string | null {
  if (status === "quarantined")
    return `It is in quarantine${quarantinedReason === null ? "" : `: ${quarantinedReason.replace(/[\s.]+$/, "")}`}.`;
  if (verdict === null) return null;
  if (verdict.withheld) return verdict.sentence;
  if (verdict.withheldAfter === null || now < verdict.withheldAfter) return null;
  return `It has given no evidence that counts since ${new Date(verdict.at).toISOString()}.`;
}

/** True for a device that may be withheld now or later without a change of its rows. */
export const mayBeWithheld = (status: DeviceFacts["status"], verdict: StoredVerdict | null): boolean =>
  status === "quarantined" || (verdict !== null && (verdict.withheld || verdict.withheldAfter !== null));
