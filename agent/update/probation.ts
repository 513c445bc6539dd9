import type { ErrorCode } from "@muster/shared/errors";
import type { ProbationRule } from "@muster/shared/protocol/release";
import type { Observed } from "./ports.ts";

export type ProbationVerdict =
  | { verdict: "wait" }
  | { verdict: "commit" }
  | { verdict: "roll-back"; code: ErrorCode; message: string };

const rollBack = (code: ErrorCode, message: string): ProbationVerdict => ({
  verdict: "roll-back",
  code,
  message,
});

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

/** A measured time, with more decimals only where one would not tell it from the limit. */
function milliseconds(value: number, limit: number): string {
  const digits = [1, 2, 3].find((count) => value.toFixed(count) !== limit.toFixed(count)) ?? 3;
  return `${Number(value.toFixed(digits))} ms`;
}

/**
 * Judges a release on probation. Harm is looked for first and every limit is strict (`>`). Failures count
 * against the larger of what was seen and what must be seen, so that one early failure does not condemn a
 * release that may fail one time in a hundred, and too many condemn it before the rest is awaited.
 * @param elapsedMs time on probation so far, without the time in which the agent was down
 */
export function judgeProbation(rule: ProbationRule, observed: Observed, elapsedMs: number): ProbationVerdict {
  const { inferences, failures, crashes, p95Ms } = observed;
  const overdue = elapsedMs >= rule.deadlineSeconds * 1000;
  const enough = inferences >= rule.minInferences;
  if (crashes > rule.maxCrashes)
    return rollBack(
      "probation.crashed",
      `The runner crashed ${crashes} times on probation; ${rule.maxCrashes} are allowed.`,
    );
  const base = overdue ? inferences : Math.max(inferences, rule.minInferences);
  if (base > 0 && failures / base > rule.maxErrorRate)
    return rollBack(
      "probation.errors",
      `${failures} of ${inferences} inferences failed; ${percent(rule.maxErrorRate)} are allowed.`,
    );
  if (enough && p95Ms !== null && p95Ms > rule.maxP95Ms)
    return rollBack(
      "probation.latency",
      `95 % of ${inferences} inferences took up to ${milliseconds(p95Ms, rule.maxP95Ms)}; ${rule.maxP95Ms} ms are allowed.`,
    );
  if (!enough && overdue)
    return rollBack(
      "probation.no-traffic",
      `${inferences} inferences were seen within ${rule.deadlineSeconds} s; ${rule.minInferences} are needed.`,
    );
  return enough && elapsedMs >= rule.minSeconds * 1000 ? { verdict: "commit" } : { verdict: "wait" };
}
