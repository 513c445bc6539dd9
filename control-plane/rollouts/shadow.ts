import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import type { DeviceRecord } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

/** A device with too little traffic may be in the shadow for so many times its time. */
const PATIENCE = 2;

/** What a device of the rollout is told about a shadow: null where its wave has none. */
export function shadowOf(
  { shadow }: Pick<RolloutPlan, "shadow">,
  { wave }: Pick<DeviceRecord, "wave">,
): ShadowRule | null {
  if (!shadow || (shadow.waves === "first" && wave > 0)) return null;
  const { waves: _waves, ...rule } = shadow;
  return rule;
}

/** Longest time that a device of this wave may be in the shadow, seconds: no timeout counts it. */
export const shadowSeconds = (
  plan: Pick<RolloutPlan, "shadow">,
  record: Pick<DeviceRecord, "wave">,
): number => (shadowOf(plan, record)?.seconds ?? 0) * PATIENCE;
