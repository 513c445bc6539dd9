import type { Failure } from "@muster/shared/protocol/primitives";
import type { UpdatePhase } from "@muster/shared/protocol/state";
import type { DeviceRecord } from "./model.ts";
import type { RolloutPlan, Timeouts } from "./plan.ts";
import { shadowSeconds } from "./shadow.ts";

type Limited = Exclude<keyof Timeouts, "total">;

/** Which limit a phase of the update journal falls under; a device that told none has still to take it up. */
const LIMIT_OF: Readonly<Record<UpdatePhase, Limited | null>> = {
  accepted: "fetching",
  fetching: "fetching",
  fetched: "staging",
  // A device in the shadow is staged; the limit is longer by that time.
  staged: "activating",
  activating: "activating",
  probation: "probation",
  committed: null,
  "rolling-back": "rollingBack",
  "rolled-back": null,
};

const WORDS: Readonly<Record<Limited, string>> = {
  pickup: "did not take the directive up",
  fetching: "was still downloading",
  staging: "was still preparing the release",
  activating: "was still switching over",
  probation: "was still on probation",
  rollingBack: "was still rolling back",
};

const limitOf = (phase: UpdatePhase | null): Limited | null => (phase === null ? "pickup" : LIMIT_OF[phase]);

/** A record that has seen the device in `phase`: the clock of a limit starts when it first applies. */
export function inPhase(record: DeviceRecord, phase: UpdatePhase, now: number): DeviceRecord {
  if (record.phase === phase) return record;
  const goesOn = record.phaseAt !== null && limitOf(record.phase) === limitOf(phase);
  return { ...record, phase, phaseAt: goesOn ? record.phaseAt : now };
}

/** Why a device that was told has taken too long at `now`, or undefined while it has time. */
export function timeoutOf(
  record: DeviceRecord,
  plan: Pick<RolloutPlan, "timeouts" | "shadow">,
  now: number,
): Failure | undefined {
  const { timeouts } = plan;
  const inShadow = shadowSeconds(plan, record);
  const total = timeouts.total + inShadow;
  const toldAt = record.toldAt ?? now;
  const limit = limitOf(record.phase);
  const own = limit === null ? undefined : timeouts[limit];
  const seconds = own !== undefined && limit === "activating" ? own + inShadow : own;
  const since = limit === "pickup" ? toldAt : (record.phaseAt ?? toldAt);
  if (limit !== null && seconds !== undefined && now - since >= seconds * 1000)
    return { code: "rollout.timed-out", message: `It ${WORDS[limit]} after ${seconds} s.` };
  if (now - toldAt < total * 1000) return undefined;
  return { code: "rollout.timed-out", message: `It told no end within ${total} s of being told.` };
}

/** True while the device has still to download what it was told. */
export const isDownloading = ({ status, phase }: DeviceRecord): boolean =>
  status === "told" && (phase === null || phase === "accepted" || phase === "fetching");
