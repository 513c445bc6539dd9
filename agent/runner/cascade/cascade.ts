import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { DegradeReason } from "@muster/shared/protocol/serving/cascade";
import type { Conditions } from "../../power/conditions.ts";
import type { Call, Infer, Inferred, Layer } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import { verdictsOf } from "../verdict.ts";
import { type AnswerCache, keyOf } from "./answer-cache.ts";
import { reasonAfter, reasonToSkip, rungsFor } from "./decide.ts";
import { type DefaultOutputs, defaultsFor } from "./default-outputs.ts";
import type { LoadedRung } from "./rungs.ts";

export interface CascadePorts {
  /** Rungs of each model that has a cascade. */
  readonly rungs: ReadonlyMap<LoadedModel, readonly LoadedRung[]>;
  readonly conditions: () => Conditions;
}

/** How asking one model ended, and why another is to be asked. */
interface Outcome {
  /** What `next` gave or threw. */
  readonly end: () => Inferred;
  readonly reason: DegradeReason | undefined;
}

/**
 * Lets a lower rung answer where the primary variant cannot: it would be too late, it failed, or the box is too hot or
 * short of power. What no rung answers ends as it would without a cascade.
 */
export const cascaded =
  ({ rungs, conditions }: CascadePorts): Layer =>
  (next) =>
  async (call) => {
    const own = rungs.get(call.model);
    if (!own || own.length === 0) return next(call);
    const skipped = reasonToSkip(own, conditions());
    const instead = skipped && (await descend(call, own, skipped, next));
    if (instead) return instead;
    const { end, reason } = await attempt(next, call);
    if (reason === undefined) return remembered(own, call, end());
    const degraded = reason === skipped ? undefined : await descend(call, own, reason, next);
    return degraded ?? end();
  };

async function attempt(next: Infer, call: Call): Promise<Outcome> {
  try {
    const inferred = await next(call);
    return { end: () => inferred, reason: reasonAfter({ failed: inferred.error !== undefined }) };
  } catch (cause) {
    const error: MusterError = asMusterError(cause);
    const rethrow = () => {
      throw error;
    };
    return { end: rethrow, reason: reasonAfter({ refused: error.code }) };
  }
}

/** The answer of the first rung for the reason that has one. */
async function descend(
  call: Call,
  rungs: readonly LoadedRung[],
  reason: DegradeReason,
  next: Infer,
): Promise<Inferred | undefined> {
  for (const rung of rungsFor(rungs, reason)) {
    const inferred = await answer(call, rung, next);
    if (inferred) return { ...inferred, degraded: { rung: rung.use, reason } };
  }
  return undefined;
}

async function answer(call: Call, rung: LoadedRung, next: Infer): Promise<Inferred | undefined> {
  if (rung.use === "cache") return fromCache(call, rung.cache);
  if (rung.use === "default") return fromDefaults(call, rung.outputs);
  const { end, reason } = await attempt(next, { ...call, model: rung.model });
  return reason === undefined ? end() : undefined;
}

function remembered(rungs: readonly LoadedRung[], call: Call, inferred: Inferred): Inferred {
  // Scores that are no numbers are no answer to give again.
  if (!inferred.verdicts.every(({ ok }) => ok)) return inferred;
  for (const rung of rungs)
    if (rung.use === "cache") rung.cache.put(keyOf(call), inferred, performance.now());
  return inferred;
}

const NO_TIME = { latencyUs: 0, cpuUs: 0, batchRows: 0 };

const waited = ({ receivedAt }: Call): number =>
  Math.max(0, Math.round((performance.now() - receivedAt) * 1000));

function fromCache(call: Call, cache: AnswerCache): Inferred | undefined {
  const inferred = cache.get(keyOf(call), performance.now());
  return inferred && { ...inferred, ...NO_TIME, queueUs: waited(call) };
}

function fromDefaults(call: Call, defaults: DefaultOutputs): Inferred {
  const { model, request } = call;
  const all = defaultsFor(defaults, call);
  return {
    ...NO_TIME,
    queueUs: waited(call),
    by: model.deployment,
    values: request.outputs.map(({ name }) => all.find((value) => value.name === name)!),
    verdicts: verdictsOf(all[0], model.deployment.labels),
  };
}
