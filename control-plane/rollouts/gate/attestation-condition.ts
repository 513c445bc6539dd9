import { counted } from "../words.ts";
import { amount, percentOf } from "./amounts.ts";
import type { GateInput } from "./input.ts";
import type { ConditionView } from "./views.ts";

/** What evidence that is newer than the update says of the devices of the open wave. */
export interface Attested {
  /** Devices that succeeded by their own report, withheld ones included. */
  updated: number;
  /** Those of them whose verdict is affirming. */
  affirming: number;
  /** Told devices, whatever their end, whose verdict is contraindicated. */
  contraindicated: number;
  /** Hardware classes of these. */
  classes: readonly string[];
}

/** Undefined where the plan does not ask for it. */
export function attestationCondition({ plan, number, attested }: GateInput): ConditionView | undefined {
  const rule = plan.attestation;
  if (!rule || !attested) return undefined;
  const { updated, affirming, contraindicated } = attested;
  const share = percentOf(affirming, updated);
  const isViolated = contraindicated > rule.maxContraindicated;
  const isMet = updated === 0 || share >= rule.minAffirmingPercent;
  return {
    kind: "attestation",
    verdict: isViolated ? "violated" : isMet ? "met" : "inconclusive",
    value: updated === 0 ? null : share,
    threshold: rule.minAffirmingPercent,
    control: null,
    comparison: null,
    unit: "percent",
    sentence: `Wave ${number}: evidence since the update is affirming for ${affirming} of ${counted(updated, "updated device")} (${amount(share, "percent")}) and contraindicated for ${contraindicated}; at least ${amount(rule.minAffirmingPercent, "percent")} must be affirming, at most ${rule.maxContraindicated} may be contraindicated.`,
  };
}
