import type { GatePlan } from "./plan.ts";
import type { DeviceCounts } from "./views.ts";
import { counted } from "./words.ts";

/** Where the gate of a wave stands, with the numbers and thresholds that say why. */
export interface GateView {
  verdict: "met" | "violated" | "inconclusive";
  /** Plain sentence. */
  reason: string;
  /** What an inconclusive gate waits for; null when nothing more will come, so that a person must decide. */
  waitingFor: "evidence" | "soak" | null;
  numbers: {
    succeeded: number;
    failed: number;
    /** Devices with a known end that the success condition asks for. */
    needed: number;
    /** Percent of the devices with a known end; null without any. */
    successPercent: number | null;
    errorPercent: number | null;
    soakedSeconds: number;
  };
  thresholds: GatePlan;
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
  deviceTimeoutSeconds: number;
  openedAt: number;
  heldSince: number | null;
  now: number;
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
const rounded = (value: number): string => `${Math.round(value * 10) / 10} %`;

/** True when the success condition holds at this moment, soak aside. */
export function successHolds({ wave, isLast, plan }: GateInput): boolean {
  const ended = wave.succeeded + wave.failed;
  const unsettled = wave.waiting + wave.pending + wave.silent;
  const enough = ended >= neededFor(wave, isLast, plan);
  return (
    unsettled === 0 && enough && (ended === 0 || percent(wave.succeeded, ended) >= plan.success.minPercent)
  );
}

/** The last wave has what the waves before it left, which may be fewer than the plan asks for. */
const neededFor = (wave: DeviceCounts, isLast: boolean, plan: GatePlan): number =>
  isLast ? Math.min(plan.success.minDevices, wave.total - wave.released) : plan.success.minDevices;

/**
 * Judges the gate of the open wave. Errors go first, strictly more than `maxPercent`, in the wave and in the
 * whole rollout, so that a late failure of an earlier wave counts too. Success is judged once every device that
 * was reached has a known end; devices never seen since they were told are left out, and count when they come
 * back. A wave that ended without enough evidence is inconclusive for good.
 */
export function judgeGate(input: GateInput): GateView {
  const { wave, all, plan, openedAt, heldSince, now, number } = input;
  const ended = wave.succeeded + wave.failed;
  const needed = neededFor(wave, input.isLast, plan);
  const holds = successHolds(input);
  const soaked = holds && heldSince !== null ? Math.max(0, now - heldSince) / 1000 : 0;
  const view = (
    verdict: GateView["verdict"],
    reason: string,
    waitingFor: GateView["waitingFor"] = null,
  ): GateView => ({
    verdict,
    reason,
    waitingFor,
    numbers: {
      succeeded: wave.succeeded,
      failed: wave.failed,
      needed,
      successPercent: ended === 0 ? null : percent(wave.succeeded, ended),
      errorPercent: ended === 0 ? null : percent(wave.failed, ended),
      soakedSeconds: Math.floor(soaked),
    },
    thresholds: plan,
  });

  const failure = tooManyErrors(`Wave ${number}`, wave, plan) ?? tooManyErrors("The rollout", all, plan);
  if (failure) return view("violated", failure);
  if (holds && soaked >= plan.soakSeconds)
    return view("met", `Wave ${number}: ${wave.succeeded} of ${counted(ended, "device")} succeeded.`);
  if (holds)
    return view(
      "inconclusive",
      `Wave ${number} succeeded; it soaks for ${plan.soakSeconds} s, ${Math.floor(soaked)} s are over.`,
      "soak",
    );

  const unsettled = wave.waiting + wave.pending + wave.silent;
  const overdue = now - openedAt >= input.deviceTimeoutSeconds * 1000;
  if (unsettled > 0 || (wave.offline > 0 && !overdue))
    return view(
      "inconclusive",
      `Wave ${number}: ${ended} of ${counted(wave.total, "device")} ${ended === 1 ? "has" : "have"} a known end; ${unsettled} at work, ${wave.offline} offline.`,
      "evidence",
    );
  return view(
    "inconclusive",
    ended < needed
      ? `Wave ${number} ended with ${counted(ended, "known end")}; its gate asks for ${needed}, and ${counted(wave.offline, "device")} ${wave.offline === 1 ? "is" : "are"} offline.`
      : `Wave ${number} ended with ${rounded(percent(wave.succeeded, ended))} success; its gate asks for ${rounded(plan.success.minPercent)}.`,
  );
}

function tooManyErrors(scope: string, counts: DeviceCounts, plan: GatePlan): string | undefined {
  const ended = counts.succeeded + counts.failed;
  const told = counts.total - counts.waiting - counts.released;
  if (ended < Math.min(plan.error.minDevices, told)) return undefined;
  const share = percent(counts.failed, ended);
  if (share <= plan.error.maxPercent) return undefined;
  return `${scope}: ${counts.failed} of ${counted(ended, "device")} with a known end failed (${rounded(share)}); at most ${rounded(plan.error.maxPercent)} may.`;
}
