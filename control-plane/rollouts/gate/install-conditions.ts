import type { DeviceCounts } from "../views.ts";
import { counted, fitting } from "../words.ts";
import { amount, percentOf } from "./amounts.ts";
import type { GateInput } from "./input.ts";
import type { ConditionView } from "./views.ts";

/** Devices with a known end. Silence past its deadline is an end: the engine counts it as failed. */
export const endedOf = ({ succeeded, failed }: DeviceCounts): number => succeeded + failed;

/** Devices that will still come to an end, and that are worth waiting for. */
export const unsettledOf = ({ waiting, pending, silent, retrying }: DeviceCounts): number =>
  waiting + pending + silent + retrying;

/** Those that will still come to an end: the ones that were told, and the ones that wait to be. */
export const workText = ({ waiting, pending, silent, retrying }: DeviceCounts): string =>
  `${pending + silent + retrying} at work${waiting > 0 ? `, ${waiting} not told yet` : ""}`;

/** Those that can give no evidence now, each kind that there is. */
const awayText = ({ offline, withheld }: DeviceCounts): string =>
  `${offline > 0 ? `, ${offline} offline` : ""}${withheld > 0 ? `, ${withheld} withheld` : ""}`;

/** Devices that would have to come back, or to pass, before they count. */
export const absentOf = ({ offline, withheld }: DeviceCounts): number => offline + withheld;

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
  const away = awayText(wave);
  const work = unsettledOf(wave) > 0 ? `, ${workText(wave)}` : "";
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
export function errorCondition(input: GateInput): ConditionView {
  const here = errorsOf(`Wave ${input.number}`, input.wave, input);
  const everywhere = errorsOf("The rollout", input.all, input);
  return here.verdict !== "violated" && everywhere.verdict === "violated" ? everywhere : here;
}

/** True once it is no longer waited for devices that were offline when the wave opened. */
export const isOverdue = ({ now, openedAt, timeoutSeconds }: GateInput): boolean =>
  now - openedAt >= timeoutSeconds * 1000;

/**
 * The order in which devices end decides nothing: too many failures stop it when all have ended, before that when
 * `minDevices` have, and at once when there are too many for all the devices, however the others end.
 */
function errorsOf(scope: string, counts: DeviceCounts, input: GateInput): ConditionView {
  const { maxPercent, minDevices } = input.plan.error;
  const { failed } = counts;
  const absent = absentOf(counts);
  const ended = endedOf(counts);
  const unsettled = unsettledOf(counts);
  const share = percentOf(failed, ended);
  const isCertain = percentOf(failed, ended + unsettled + absent) > maxPercent;
  const isOver = share > maxPercent;
  const isOut = unsettled === 0 && (absent === 0 || isOverdue(input));
  const isViolated = isCertain || (isOver && (ended >= minDevices || isOut));
  const isMet = !isOver && (ended >= minDevices || unsettled === 0);
  const later = isOver && !isViolated ? `, judged once ${minDevices} have one or no more are to come` : "";
  return {
    kind: "error",
    verdict: isViolated ? "violated" : isMet ? "met" : "inconclusive",
    value: ended === 0 ? null : share,
    threshold: maxPercent,
    control: null,
    comparison: null,
    unit: "percent",
    sentence: `${scope}: ${counts.failed} of ${counted(ended, "device")} with a known end failed (${amount(share, "percent")}); at most ${amount(maxPercent, "percent")} may${later}.`,
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
