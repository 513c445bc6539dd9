import type { ErrorCode } from "@muster/shared/errors";
import type { DegradeReason } from "@muster/shared/protocol/serving/cascade";
import type { Conditions } from "../../power/conditions.ts";

interface Answering {
  readonly when: readonly DegradeReason[];
}

/**
 * Why the primary variant is not even asked: the first condition of the box that a rung answers for. Undefined when it
 * is asked.
 */
export function reasonToSkip(
  rungs: readonly Answering[],
  { heat, power }: Pick<Conditions, "heat" | "power">,
): DegradeReason | undefined {
  const reasons: DegradeReason[] = [...(heat ? ["heat" as const] : []), ...(power ? ["power" as const] : [])];
  return reasons.find((reason) => rungsFor(rungs, reason).length > 0);
}

/** How asking a model ended: refused with a code, or computed, perhaps with a failure. */
export type Ending = { readonly refused: ErrorCode } | { readonly failed: boolean };

/**
 * Why another is asked after it. No room and no time are one reason: the answer would not come in time. What the box
 * defers, and what nobody waits for any more, is to get no answer at all.
 */
export function reasonAfter(ending: Ending): DegradeReason | undefined {
  if ("failed" in ending) return ending.failed ? "failure" : undefined;
  return ending.refused === "inference.overloaded" || ending.refused === "inference.expired"
    ? "deadline"
    : undefined;
}

/** The rungs that answer for a reason, in the release's order. */
export const rungsFor = <R extends Answering>(rungs: readonly R[], reason: DegradeReason): R[] =>
  rungs.filter(({ when }) => when.includes(reason));
