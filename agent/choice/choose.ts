import type { Measured } from "@muster/shared/protocol/choice";
import type { Objective } from "@muster/shared/protocol/serving/objective";
import type { Measurement } from "./measurement.ts";

/** Values this close to the best count as equal: less is within the noise of a short measurement. */
const EQUAL_WITHIN = 0.05;

/** Longest reason, characters. */
const MAX_REASON = 200;

/** A variant on a provider with what is known of it. Candidates stand in the release's order. */
export interface Contender {
  readonly variant: string;
  readonly provider: string;
  /** As its reference set states it, 0 to 1. */
  readonly accuracy: number;
  readonly measurement: Measurement;
}

export interface Choice {
  /** Index of the winner; null when none meets the objective. */
  readonly winner: number | null;
  /** Why each lost, by index; null for the winner. */
  readonly reasons: readonly (string | null)[];
  /** Indices of the others that meet the objective, the best one first. */
  readonly standby: readonly number[];
}

type Preference = Exclude<Objective["prefer"], "order">;

const PREFERENCES: Record<Preference, { unit: string; of: (measured: Measured) => number; word: string }> = {
  latency: { unit: "ms", of: ({ p50Ms }) => p50Ms, word: "median" },
  energy: { unit: "ms", of: ({ cpuMs }) => cpuMs, word: "processor time" },
  memory: { unit: "MiB", of: ({ memoryMiB }) => memoryMiB, word: "memory" },
};

const percent = (share: number): string => `${Math.round(share * 10_000) / 100} %`;

/** Why a contender cannot be taken at all. */
function disqualified({ accuracy, measurement }: Contender, objective: Objective): string | undefined {
  if ("failure" in measurement) return `${measurement.failure.code}: ${measurement.failure.message}`;
  const { minAccuracy = 0, minAgreement = 0, maxLatencyMs = Number.POSITIVE_INFINITY } = objective;
  const { agreement, p95Ms } = measurement.measured;
  if (accuracy < minAccuracy) return `Accuracy ${percent(accuracy)} is below ${percent(minAccuracy)}.`;
  if (agreement < minAgreement)
    return `Agreement ${percent(agreement)} with the golden outputs is below ${percent(minAgreement)}.`;
  if (p95Ms > maxLatencyMs) return `The 95th percentile of ${p95Ms} ms is above ${maxLatencyMs} ms.`;
  return undefined;
}

/**
 * The best of the candidates that meet every floor. Pure: the same measurements give the same choice.
 * @param contenders in the release's order, which decides among equals
 */
export function choose(contenders: readonly Contender[], objective: Objective): Choice {
  const reasons = contenders.map((contender) => disqualified(contender, objective));
  const open = contenders.flatMap(({ measurement }, index) =>
    reasons[index] === undefined && "measured" in measurement
      ? [{ index, measured: measurement.measured }]
      : [],
  );
  const winner = bestOf(open, objective);
  if (winner === undefined)
    return { winner: null, reasons: reasons.map((reason) => cut(reason ?? "")), standby: [] };
  const told = contenders.map((_, index) => {
    if (index === winner.index) return null;
    const other = open.find((each) => each.index === index);
    return cut(reasons[index] ?? lostTo(other!, winner, contenders[winner.index]!, objective));
  });
  const standby = inOrder(open, objective).filter((each) => each !== winner);
  return { winner: winner.index, reasons: told, standby: standby.map(({ index }) => index) };
}

interface Open {
  readonly index: number;
  readonly measured: Measured;
}

function bestOf(open: readonly Open[], { prefer }: Objective): Open | undefined {
  if (prefer === "order") return open[0];
  const { of } = PREFERENCES[prefer];
  const best = Math.min(...open.map(({ measured }) => of(measured)));
  return open.find(({ measured }) => of(measured) <= best * (1 + EQUAL_WITHIN));
}

function inOrder(open: readonly Open[], { prefer }: Objective): Open[] {
  if (prefer === "order") return [...open];
  const { of } = PREFERENCES[prefer];
  return [...open].sort((a, b) => of(a.measured) - of(b.measured) || a.index - b.index);
}

function lostTo(loser: Open, winner: Open, { variant, provider }: Contender, { prefer }: Objective): string {
  const who = `${variant} on ${provider}`;
  if (prefer === "order") return `Comes after ${who} in the release.`;
  const { of, unit, word } = PREFERENCES[prefer];
  const [theirs, its] = [of(winner.measured), of(loser.measured)];
  return its <= theirs * (1 + EQUAL_WITHIN)
    ? `No better than ${who}, which comes first: ${word} ${its} against ${theirs} ${unit}.`
    : `Worse than ${who}: ${word} ${its} against ${theirs} ${unit}.`;
}

const cut = (reason: string): string =>
  reason.length <= MAX_REASON ? reason : `${reason.slice(0, MAX_REASON - 1)}…`;
