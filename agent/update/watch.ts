import type { ErrorCode } from "@muster/shared/errors";
import type { ProbationRule } from "@muster/shared/protocol/release";
import type { ProbationProgress } from "./journal-state.ts";
import type { JournalEvent } from "./machine.ts";
import type { Clock, Observed } from "./ports.ts";
import { judgeProbation } from "./probation.ts";

export interface WatchContext {
  rule: ProbationRule;
  /** What earlier starts of the agent saw. */
  before: ProbationProgress;
  /** What was seen since this start. */
  observed: () => Observed;
  /** True while the runner proves that it serves the release. */
  isProven: () => boolean;
  store: (progress: ProbationProgress, stableMs: number) => void;
  clock: Clock;
  sampleMs: number;
  storeMs: number;
  signal: AbortSignal;
}

const failure = (code: ErrorCode, message: string): JournalEvent => ({
  type: "failed",
  kind: "final",
  failure: { code, message },
});

/** Watches a release on probation until it passes, fails or the signal fires; time down does not count. */
export async function watchProbation(context: WatchContext): Promise<JournalEvent | undefined> {
  const { before, clock, rule, signal } = context;
  const start = clock.monotonic();
  let stored = start;
  const progressNow = (): ProbationProgress => {
    const { inferences, failures, crashes } = context.observed();
    return {
      elapsedMs: before.elapsedMs + (clock.monotonic() - start),
      inferences: before.inferences + inferences,
      failures: before.failures + failures,
      crashes: before.crashes + crashes,
    };
  };
  while (!signal.aborted) {
    const progress = progressNow();
    const event = judge(rule, progress, context);
    if (event) return event;
    if (clock.monotonic() - stored >= context.storeMs) {
      context.store(progress, clock.monotonic() - start);
      stored = clock.monotonic();
    }
    await clock.sleep(context.sampleMs, signal);
  }
  context.store(progressNow(), clock.monotonic() - start);
  return undefined;
}

function judge(
  rule: ProbationRule,
  progress: ProbationProgress,
  { isProven, observed }: WatchContext,
): JournalEvent | undefined {
  const judgement = judgeProbation(rule, { ...progress, p95Ms: observed().p95Ms }, progress.elapsedMs);
  if (judgement.verdict === "roll-back") return failure(judgement.code, judgement.message);
  if (judgement.verdict === "wait") return undefined;
  if (isProven()) return { type: "passed" };
  return progress.elapsedMs >= Math.max(rule.minSeconds, rule.deadlineSeconds) * 1000
    ? failure("runner.hung", "The runner was not ready when the probation ended.")
    : undefined;
}
