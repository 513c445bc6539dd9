import type { ShadowVerdict } from "@muster/shared/protocol/shadow-report";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";

/** What was compared of one model so far. */
export interface Compared {
  readonly model: string;
  readonly compared: number;
  readonly agreed: number;
}

/** How often each model was looked at before its time; none at first. */
export type Looks = ReadonlyMap<string, number>;

export type ShadowJudgement =
  | { verdict: "wait"; looks: Looks }
  | { verdict: Exclude<ShadowVerdict, "failed">; reason: string };

/** Chance that a candidate that agrees just often enough is stopped before its time. */
const ALPHA = 0.01;
/** A shadow with too little traffic may take so many times its time. */
const PATIENCE = 2;

const percent = (part: number, whole: number): string => `${Math.round((10_000 * part) / whole) / 100} %`;

/** Kullback-Leibler divergence between two coins. */
function divergence(p: number, q: number): number {
  const term = (a: number, b: number) => (a === 0 ? 0 : a * Math.log(a / b));
  return term(p, q) + term(1 - p, 1 - q);
}

/**
 * True where agreement is certainly below the least share: by Chernoff's bound, `agreed` or fewer of `compared` have
 * a chance of at most exp(-compared · KL) at that share.
 */
function isHopeless({ compared, agreed }: Compared, least: number, chance: number): boolean {
  const share = agreed / compared;
  return share < least && compared * divergence(share, least) >= Math.log(1 / chance);
}

/** Looks at a model when `minCompared` were compared, then at twice, four times as many: a few looks, each with its part of the chance. */
function lookEarly(rule: ShadowRule, each: Compared, models: number, looks: number) {
  const due = each.compared >= rule.minCompared * 2 ** looks;
  if (!due) return { looks, hopeless: false };
  const chance = ALPHA / models / ((looks + 1) * (looks + 2));
  return { looks: looks + 1, hopeless: isHopeless(each, rule.minAgreementPercent / 100, chance) };
}

const said = (rule: ShadowRule, { model, agreed, compared }: Compared): string =>
  `Both releases agreed on ${agreed} of ${compared} inferences of model ${model} (${percent(agreed, compared)}); ${rule.minAgreementPercent} % are asked for.`;

const isBelow = (rule: ShadowRule, { agreed, compared }: Compared): boolean =>
  agreed * 100 < rule.minAgreementPercent * compared;

/**
 * Judges a shadow. Before its time it ends only where a model certainly agrees too little; when its time is over and
 * every model was compared often enough, the share itself decides; where one was not, the shadow takes up to twice
 * the time and then decides by those that were.
 * @param models what both releases have and was compared; none where they have no model in common
 */
export function judgeShadow(
  rule: ShadowRule,
  models: readonly Compared[],
  elapsedMs: number,
  looks: Looks = new Map(),
): ShadowJudgement {
  const next = new Map(looks);
  for (const each of models) {
    const look = lookEarly(rule, each, models.length, looks.get(each.model) ?? 0);
    next.set(each.model, look.looks);
    if (look.hopeless) return { verdict: "disagreed", reason: said(rule, each) };
  }
  const dueMs = rule.seconds * 1000;
  if (elapsedMs < dueMs) return { verdict: "wait", looks: next };
  if (models.length === 0)
    return {
      verdict: "inconclusive",
      reason: "The live release and the candidate have no model in common: there is nothing to compare.",
    };
  const enough = models.filter(({ compared }) => compared >= rule.minCompared);
  const below = enough.find((each) => isBelow(rule, each));
  const overdue = elapsedMs >= dueMs * PATIENCE;
  if (enough.length < models.length && !overdue) return { verdict: "wait", looks: next };
  if (below) return { verdict: "disagreed", reason: said(rule, below) };
  const sparse = models
    .filter(({ compared }) => compared < rule.minCompared)
    .map(
      ({ model, compared }) =>
        `Of model ${model} ${compared} inferences were compared within ${rule.seconds * PATIENCE} s; ${rule.minCompared} are asked for.`,
    );
  const reason = [...enough.map((each) => said(rule, each)), ...sparse].join(" ").slice(0, 1000);
  return { verdict: enough.length > 0 ? "agreed" : "inconclusive", reason };
}
