import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import type { VerdictTier } from "../../attestation/verdict.ts";
import type { HoldReason } from "../admission/admit.ts";
import type { PlaceFacts } from "../admission/facts.ts";
import type { Freeze } from "../admission/freeze.ts";
import type { Exposures } from "../exposure/exposures.ts";
import type { GateView } from "../gate/views.ts";
import type { DeviceFacts, DeviceRecord, RolloutProgress } from "../model.ts";
import type { Rival } from "../rivals.ts";
import type { Installation } from "../way-back.ts";

/** Everything that a decision may ask about the world of this moment. */
export interface Facts {
  of(device: string): DeviceFacts;
  /** Any liveness but offline; by the place of the device's record in the rollout. */
  isOnline(place: number): boolean;
  /** True for a device that gets nothing new from anybody; by place as well. */
  isWithheld(place: number): boolean;
  /** The verdict of this moment and when its evidence was appraised; null before the first. By place as well. */
  verdictOf(place: number): { tier: VerdictTier; at: number } | null;
  /** False where nothing but time and liveness can have changed since the last decision; by place as well. */
  hasChanged(place: number): boolean;
  /** True where a release, by its digest, is in quarantine for a hardware class. */
  isQuarantined(digest: string, hardwareClass: string): boolean;
  /** Releases that rollouts told a device. */
  installations(device: string): readonly Installation[];
  /** True where a rollout has sent the device back, after whatever it did with it. */
  hasSentBack(rollout: string, device: string): boolean;
  /** The places of the fleet, while the records of this rollout are these. */
  around(records: readonly DeviceRecord[]): Places;
  freezes: readonly Freeze[];
  /** What devices of the open wave and those not yet updated measured. */
  exposures: Exposures;
  /** Other rollouts under way, and completed ones with somebody still to tell. */
  rivals: readonly Rival[];
}

export interface Places extends PlaceFacts {
  /** Where a device is now: it may have been moved since the start. */
  whereIs(record: DeviceRecord): Pick<DeviceRecord, "site" | "hardwareClass">;
  /** True where the places count the device as unavailable already. */
  isUnavailable(device: string): boolean;
}

/** One device that gets a newer directive. */
export interface Instruction {
  device: string;
  release: ReleaseRef | null;
  /** How the release has to run beside the live one first. */
  shadow: ShadowRule | null;
}

export interface RolloutEvent {
  kind: string;
  /** Plain sentence. */
  sentence: string;
  /** What the sentence rests on. */
  numbers: Record<string, number>;
}

export interface DecisionLimits {
  /** Most directives issued in one decision; the rest follow in the next one. */
  instructions: number;
  /** Most device records changed by evidence in one decision. */
  changes: number;
  /** Milliseconds between two ticks. */
  tickMs: number;
}

/** What one decision does, all of it in one transaction. */
export interface Decision {
  progress: RolloutProgress;
  /** Every record, in the order of the rollout; those that changed are new objects. */
  devices: readonly DeviceRecord[];
  /** Places of those that changed, in `devices`. */
  changed: readonly number[];
  /** Directives to issue; the generation goes into the device's record. */
  instructions: readonly Instruction[];
  /** Hardware classes on which the release failed. */
  quarantine: readonly string[];
  events: readonly RolloutEvent[];
  /** Gate of the open wave as judged, or the one that stopped the rollout. */
  gateNow: GateView | null;
  /** Why devices that the open wave wants are not told now. */
  held: ReadonlyMap<string, HoldReason>;
  /** True where a limit cut the decision short: the next one should follow at once. */
  more: boolean;
  /** False where not all evidence was taken in. */
  appraised: boolean;
}
