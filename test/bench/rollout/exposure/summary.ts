import { groupedBy } from "@muster/control-plane/fleet/grouped";
import { type Figure, figure } from "../../figures.ts";
import type { Outcome } from "./trial.ts";

/** One comparison may stop one of a hundred good releases; the last wave has nobody left to compare with. */
const FALSE_ALARM_AIM = 2;

const shareOf = (outcomes: readonly Outcome[], test: (outcome: Outcome) => boolean): number =>
  outcomes.length === 0 ? 0 : (100 * outcomes.filter(test).length) / outcomes.length;

const isStopped = ({ state }: Outcome): boolean => state !== "completed";
/** What it was stopped by: an update that failed as some always do, or what devices measured. */
const byFailures = (outcome: Outcome): boolean =>
  isStopped(outcome) && outcome.reason.includes("with a known end");

/** Figures of all trials: of the bad releases how many devices got them, of the good ones how many were stopped. */
export function exposureFigures(outcomes: readonly Outcome[]): Figure[] {
  const bad = groupedBy(
    outcomes.filter(({ fault }) => fault !== undefined),
    ({ plan, fault, scope }) => `${plan}: ${fault} on ${scope}`,
  );
  const good = outcomes.filter(({ fault }) => fault === undefined);
  return [
    ...[...bad].flatMap(([name, some]) => badFigures(name, some)),
    figure("good releases stopped by everyday failures", shareOf(good, byFailures), "%", "lower"),
    figure(
      "good releases stopped by comparisons",
      shareOf(good, (outcome) => isStopped(outcome) && !byFailures(outcome)),
      "%",
      "lower",
      FALSE_ALARM_AIM,
    ),
    figure(
      "devices not on their former release after a revert",
      outcomes.reduce((sum, { astray }) => sum + astray, 0),
      "devices",
      "lower",
      0,
    ),
  ];
}

function badFigures(name: string, outcomes: readonly Outcome[]): Figure[] {
  const exposed = outcomes.map((outcome) => outcome.exposed);
  const canaries = Math.max(...outcomes.map((outcome) => outcome.canaries));
  const mean = exposed.reduce((sum, count) => sum + count, 0) / exposed.length;
  return [
    figure(
      `within the canary wave, ${name}`,
      shareOf(outcomes, ({ beyond }) => beyond === 0),
      "%",
      "higher",
      100,
    ),
    figure(`exposed at most, ${name}`, Math.max(...exposed), "devices", "lower", canaries),
    figure(`exposed on average, ${name}`, mean, "devices", "lower"),
  ];
}
