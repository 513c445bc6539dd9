import type { DegradedStep } from "@muster/shared/protocol/state";
import type { Deployment, ModelDeployment } from "../deployment.ts";

/** What a group can be served with. The first one is the choice of the release. */
export interface Choice {
  /** Which step down it is; undefined for the first choice. */
  readonly step: DegradedStep | undefined;
  readonly models: readonly ModelDeployment[];
}

const isSame = (a: ModelDeployment, b: ModelDeployment): boolean =>
  a.digest === b.digest && a.variant === b.variant && a.provider === b.provider && a.version === b.version;

/**
 * All that a group can be served with, best first: its first choice, other builds of the same versions as each model
 * lists them, the version of the previous release, and what the cascades of the models fall back to at last.
 */
export function ladderOf(models: readonly ModelDeployment[], previous: Deployment | undefined): Choice[] {
  const ladder: Choice[] = [{ step: undefined, models }];
  const steps = Math.max(0, ...models.map(({ ladder: builds = [] }) => builds.length));
  for (let step = 1; step <= steps; step++) {
    const before = ladder.at(-1)!.models;
    const now = models.map((model) => model.ladder?.slice(0, step).at(-1) ?? model);
    const changed = now.filter((model, index) => !isSame(model, before[index]!));
    if (changed.length === 0) continue;
    const isProvider = now.some((model, index) => model.provider !== before[index]!.provider);
    ladder.push({ step: isProvider ? "provider" : "variant", models: now });
  }
  const older = models.map((model) => previousOf(model, previous) ?? model);
  if (older.some((model, index) => !isSame(model, models[index]!)))
    ladder.push({ step: "previous", models: older });
  return [...ladder, ...safeChoices(models)];
}

function previousOf(model: ModelDeployment, previous: Deployment | undefined): ModelDeployment | undefined {
  return previous?.models.find(({ name }) => name === model.name);
}

/** Answers that need no session of the model itself: first with what else its cascade loads, then without. */
function safeChoices(models: readonly ModelDeployment[]): Choice[] {
  const standIns = models.filter(hasSafeRung).map((model) => ({ ...model, standIn: true as const }));
  if (standIns.length === 0) return [];
  const fixed = standIns.filter((model) => rungsOf(model).some(({ use }) => use === "default"));
  const loads = standIns.some(({ alternatives = [] }) => alternatives.length > 0);
  return [
    { step: "safe", models: standIns },
    ...(loads && fixed.length > 0
      ? [{ step: "safe" as const, models: fixed.map((model) => ({ ...model, alternatives: [] })) }]
      : []),
  ];
}

const rungsOf = ({ serving }: ModelDeployment) =>
  (serving?.cascade ?? []).filter(({ when }) => when.includes("failure"));

/** A cached answer alone is none: the cache begins empty. */
const hasSafeRung = (model: ModelDeployment): boolean =>
  rungsOf(model).some(
    (rung) =>
      rung.use === "default" ||
      (rung.use === "model" && model.alternatives?.some(({ name }) => name === rung.model)) ||
      (rung.use === "variant" && model.alternatives?.some(({ variant }) => variant === rung.variant)),
  );
