import type { Severity } from "./rule.ts";
import type { SignalName } from "./signals.ts";

/** Where an alert is: what does not apply is null. */
export interface AlertPlace {
  device: string | null;
  /** Name of the device, or what people call the rollout. */
  name: string | null;
  site: string | null;
  hardwareClass: string | null;
  rollout: string | null;
}

export type AlertState = "pending" | "firing" | "resolved";

/** Why an alert ended: the condition is over, its subject or rule is gone, or nothing was known for a day. */
export type ResolvedReason = "recovered" | "gone" | "rule-removed" | "unknown";

/** One episode of a rule at one place. Times in milliseconds since the epoch by the control plane's clock. */
export interface Alert {
  id: string;
  rule: string;
  /** Device, site, class or rollout that the alert stands for; empty for the fleet and the control plane. */
  group: string;
  place: AlertPlace;
  severity: Severity;
  signal: SignalName;
  state: AlertState;
  /** Since when the condition holds. */
  since: number;
  firedAt: number | null;
  /** Since when the condition of a firing alert is over; it is resolved when this lasts. */
  quietSince: number | null;
  /** Since when nothing is known of the signal: no news resolve nothing. */
  unknownSince: number | null;
  resolvedAt: number | null;
  resolvedReason: ResolvedReason | null;
  /** Devices that meet the condition, and devices of the group whose signal is known. */
  breaching: number;
  members: number;
  /** The worst value among them. */
  value: number;
  /** Names of some of the devices that meet the condition. */
  examples: readonly string[];
  summary: string;
  remedy: string;
}

/** Why an alert that fires is not told. */
export interface Muting {
  by: "silence" | "alert";
  /** Id of the silence or of the alert. */
  id: string;
  sentence: string;
}

/** Names an alert's rule and group: at most one alert of them is active. */
export const alertKey = (rule: string, group: string): string => `${rule}\u0000${group}`;
