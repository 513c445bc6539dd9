import type { Exposures } from "../exposure/exposures.ts";
import type { DeviceRecord } from "../model.ts";
import type { DeviceCounts } from "../views.ts";
import type { Attested } from "./attestation-condition.ts";
import type { GatePlan } from "./plan.ts";
import type { Wagers } from "./wagers.ts";

/** What the updated devices and those not updated yet have measured since the wave opened. */
export interface GateEvidence {
  exposures: Exposures;
  wagers: Wagers | null;
}

export interface GateInput {
  /** Counted from 1. */
  number: number;
  /** Counts of the open wave. */
  wave: DeviceCounts;
  /** Counts of all devices of the rollout. */
  all: DeviceCounts;
  isLast: boolean;
  plan: GatePlan;
  /** How long a device may take, and how long evidence is waited for after the soak. */
  timeoutSeconds: number;
  openedAt: number;
  /** Since when the success condition holds; null while it does not. */
  heldSince: number | null;
  now: number;
  /** All devices of the rollout: failures that cluster are looked for among them. */
  members: readonly Pick<DeviceRecord, "site" | "hardwareClass" | "status">[];
  evidence: GateEvidence;
  /** Null where the plan does not ask for it. */
  attested: Attested | null;
}
