import type { DeviceCounts } from "../views.ts";
import { counted, fitting } from "../words.ts";
import { amount, percentOf } from "./amounts.ts";
import type { GateInput } from "./input.ts";
import type { GatePlan } from "./plan.ts";
import type { ConditionView } from "./views.ts";

/** Devices with a known end. Silence past its deadline is an end: the engine counts it as failed. */
export const endedOf = ({ succeeded, failed }: DeviceCounts): number => succeeded + failed;

/** Devices that will still come to an end, and that are worth waiting for. */
export const unsettledOf = ({ waiting, pending, silent, retrying }: DeviceCounts): number =>
  waiting + pending + silent + retrying;

/** The last wave has what the waves before it left, which may be fewer than the plan asks for. */
export function neededFor({ wave, isLast, plan }: GateInput): number {
  const there = wave.total - wave.released - wave.superseded - wave.held - wave.skipped;
  return isLast ? Math.min(plan.success.minDevices, there) : plan.success.minDevices;
}

/** True when the success condition holds at this moment, soak aside. */
export function successHolds(input: GateInput): boolean {
  const { wave, plan } = input;
  const ended = endedOf(wave);
  return (
    unsettledOf(wave) === 0 &&
    ended >= neededFor(input) &&
    (ended === 0 || percentOf(wave.succeeded, ended) >= plan.success.minPercent)
  );
}

export function successCondition(input: GateInput): ConditionView {
  const { wave, plan, number } = input;
  const ended = endedOf(wave);
  const away = wave.offline > 0 ? `, ${wave.offline} offline` : "";
  const work = unsettledOf(wave) > 0 ? `, ${unsettledOf(wave)} at work` : "";
  return {
    kind: "success",
    verdict: successHolds(input) ? "met" : "inconclusive",
    value: ended === 0 ? null : percentOf(wave.succeeded, ended),
    threshold: plan.success.minPercent,
    control: null,
    comparison: null,
    unit: "percent",
    sentence: `Wave ${number}: ${wave.succeeded} of ${counted(ended, "device")} with a known end succeeded${work}${away}; at least ${amount(plan.success.minPercent, "percent")} of at least ${neededFor(input)} must.`,
  };
}

/** Errors of the wave and of the whole rollout, so that a late failure of an earlier wave counts too. */
export function errorCondition({ wave, all, plan, number }: GateInput): ConditionView {
  const here = errorsOf(`Wave ${number}`, wave, plan);
  const everywhere = errorsOf("The rollout", all, plan);
  return here.verdict !== "violated" && everywhere.verdict === "violated" ? everywhere : here;
}

function errorsOf(scope: string, counts: DeviceCounts, plan: GatePlan): ConditionView {
  const ended = endedOf(counts);
  const told = ended + counts.pending + counts.silent + counts.retrying;
  const judged = ended >= Math.min(plan.error.minDevices, told);
  const share = percentOf(counts.failed, ended);
  const { maxPercent } = plan.error;
  return {
    kind: "error",
    verdict: judged ? (share > maxPercent ? "violated" : "met") : "inconclusive",
    value: ended === 0 ? null : share,
    threshold: maxPercent,
    control: null,
    comparison: null,
    unit: "percent",
    sentence: `${scope}: ${counts.failed} of ${counted(ended, "device")} with a known end failed (${amount(share, "percent")}); at most ${amount(maxPercent, "percent")} may.`,
  };
}

export const soakedSeconds = ({ heldSince, now }: GateInput): number =>
  heldSince === null ? 0 : Math.max(0, now - heldSince) / 1000;

export function soakCondition(input: GateInput): ConditionView {
  const { plan, number } = input;
  const holds = successHolds(input);
  const soaked = holds ? soakedSeconds(input) : 0;
  const whole = Math.floor(soaked);
  return {
    kind: "soak",
    verdict: holds && soaked >= plan.soakSeconds ? "met" : "inconclusive",
    value: whole,
    threshold: plan.soakSeconds,
    control: null,
    comparison: null,
    unit: "seconds",
    sentence: holds
      ? `Wave ${number} succeeded; it soaks for ${plan.soakSeconds} s, ${whole} s ${fitting(whole, "is", "are")} over.`
      : `Wave ${number} soaks for ${plan.soakSeconds} s once it has succeeded.`,
  };
}
