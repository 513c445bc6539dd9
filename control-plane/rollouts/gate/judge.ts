import { counted, fitting } from "../words.ts";
import { amount, percentOf } from "./amounts.ts";
import { attestationCondition } from "./attestation-condition.ts";
import { clustersOf } from "./clusters.ts";
import type { GateInput } from "./input.ts";
import {
  absentOf,
  endedOf,
  errorCondition,
  isOverdue,
  neededFor,
  soakCondition,
  soakedSeconds,
  successCondition,
  successHolds,
  unsettledOf,
  workText,
} from "./install-conditions.ts";
import { metricConditions } from "./metric-conditions.ts";
import { sampleCondition } from "./sample-condition.ts";
import type { ConditionView, GateView } from "./views.ts";

/**
 * Judges the gate of the open wave. Errors go first, strictly more than `maxPercent`, in the wave and in the
 * whole rollout; then what the updated devices measure, and what evidence says of them. Success is judged once every device that was told has a
 * known end; devices that are offline are left out. A wave that ended without enough evidence is inconclusive for
 * good, and so is one whose metrics have not come in when the soak and `timeoutSeconds` are over.
 */
export function judgeGate(input: GateInput): GateView {
  const sample = sampleCondition(input);
  const metrics = metricConditions(input, sample.verdict === "met");
  const attestation = attestationCondition(input);
  const conditions = [
    successCondition(input),
    errorCondition(input),
    sample,
    ...(attestation ? [attestation] : []),
    soakCondition(input),
    ...metrics.map(({ view }) => view),
  ];
  const clusters = clustersOf(input.members);
  const standing = standingOf(input, conditions);
  const named = standing.verdict === "met" ? [] : clusters.map(({ sentence }) => sentence);
  return {
    ...standing,
    reason: [standing.reason, ...named].join(" "),
    conditions,
    clusters,
    hardwareClasses: [
      ...new Set([
        ...metrics.flatMap(({ against }) => against),
        ...(attestation?.verdict === "violated" ? (input.attested?.classes ?? []) : []),
      ]),
    ].sort(),
  };
}

type Standing = Pick<GateView, "verdict" | "reason" | "waitingFor">;

function standingOf(input: GateInput, conditions: readonly ConditionView[]): Standing {
  const { wave, number, plan } = input;
  const violated = conditions.find(({ verdict }) => verdict === "violated");
  if (violated) return { verdict: "violated", reason: violated.sentence, waitingFor: null };
  if (!successHolds(input)) return unsuccessful(input);

  const soaked = soakedSeconds(input);
  const soak = conditions.find(({ kind }) => kind === "soak");
  if (soak && soak.verdict !== "met")
    return { verdict: "inconclusive", reason: soak.sentence, waitingFor: "soak" };
  const missing = conditions.find(({ verdict }) => verdict === "inconclusive");
  if (!missing) {
    const reason = `Wave ${number}: ${wave.succeeded} of ${counted(endedOf(wave), "device")} succeeded.`;
    return { verdict: "met", reason, waitingFor: null };
  }
  const overdue = soaked >= plan.soakSeconds + input.timeoutSeconds;
  return {
    verdict: "inconclusive",
    reason: overdue
      ? `${missing.sentence} That has not come within ${input.timeoutSeconds} s after the soak.`
      : missing.sentence,
    waitingFor: overdue ? null : "evidence",
  };
}

function unsuccessful(input: GateInput): Standing {
  const { wave, number, plan } = input;
  const ended = endedOf(wave);
  const unsettled = unsettledOf(wave);
  if (unsettled > 0 || (absentOf(wave) > 0 && !isOverdue(input)))
    return {
      verdict: "inconclusive",
      reason: `Wave ${number}: ${ended} of ${counted(wave.total, "device")} ${ended === 1 || wave.total === 1 ? "has" : "have"} a known end; ${workText(wave)}, ${wave.offline} offline${wave.withheld > 0 ? `, ${wave.withheld} withheld` : ""}.`,
      waitingFor: "evidence",
    };
  const needed = neededFor(input);
  return {
    verdict: "inconclusive",
    reason:
      ended < needed
        ? `Wave ${number} ended with ${counted(ended, "known end")}; its gate asks for ${needed}, and ${counted(wave.offline, "device")} ${fitting(wave.offline, "is", "are")} offline${wave.withheld > 0 ? ` and ${wave.withheld} withheld` : ""}.`
        : `Wave ${number} ended with ${amount(percentOf(wave.succeeded, ended), "percent")} success; its gate asks for ${amount(plan.success.minPercent, "percent")}.`,
    waitingFor: null,
  };
}
