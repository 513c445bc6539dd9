import type { Verdict } from "../verdict.ts";
import type { ShadowAnswer } from "./words.ts";

/** One compared inference. */
export interface Comparison {
  readonly agreed: boolean;
  /** The candidate could not compute it. */
  readonly failed: boolean;
  /** Scores of both, where there are any. */
  readonly live?: number;
  readonly candidate?: number;
}

/** The same class: by its label, since releases may order classes in different ways, and by its index without labels. */
function sameClass(a: NonNullable<Verdict["top"]>, b: NonNullable<Verdict["top"]>): boolean {
  return a.label !== undefined && b.label !== undefined ? a.label === b.label : a.index === b.index;
}

/**
 * Compares what a candidate answered with what was answered live, row by row: the class where the live release gave
 * scores, and else whether the outputs were reproduced. Rows on which the live release failed say nothing.
 */
export function compare(live: readonly Verdict[], answer: ShadowAnswer): Comparison[] {
  const rows: Comparison[] = [];
  const shared = answer.verdicts.length === live.length;
  for (const [row, { ok, top }] of live.entries()) {
    if (!ok) continue;
    const other = shared ? answer.verdicts[row] : undefined;
    if (!other?.ok) rows.push({ agreed: false, failed: true, ...(top && { live: top.score }) });
    else if (!top) rows.push({ agreed: answer.reproduced === true, failed: false });
    else {
      const agreed = other.top !== null && sameClass(top, other.top);
      rows.push({
        agreed,
        failed: false,
        live: top.score,
        ...(other.top && { candidate: other.top.score }),
      });
    }
  }
  return rows;
}
