/** What came back from the runner: an answer, or why there was none. */
export type Reply =
  | {
      readonly status: number;
      /** Code of the catalogue, where the answer has one. */
      readonly code: string | undefined;
      readonly retryAfterSeconds: number | undefined;
    }
  | {
      readonly status: null;
      /** Code of the system, e.g. `ECONNREFUSED`. */
      readonly reason: string;
    };

export type NextStep =
  | { readonly take: "answered" }
  /** For good, or after too many tries. */
  | { readonly take: "rejected" }
  | { readonly take: "expired" }
  /** `counted`: it may be the body's fault, so it is not tried for ever. */
  | { readonly take: "again"; readonly afterMs: number; readonly counted: boolean };

/** Tries of what fails in the runner. */
const MAX_FAILURES = 3;
/** Tries of what the runner may have died of: one body must not use up the crashes that a release is allowed. */
const MAX_LOST = 2;
const MAX_DEFER_SECONDS = 60;
const AGAIN_MS = 500;
const NO_MODEL_MS = 5000;

/** Nobody listens: the runner never saw the body. */
const NOT_THERE = new Set(["ECONNREFUSED", "ENOENT", "NO_ENDPOINT"]);

/**
 * What to do after a reply.
 * @param counted tries before this one that count
 */
export function nextStep(reply: Reply, counted: number): NextStep {
  const countedAgain = (most: number): NextStep =>
    counted + 1 < most ? { take: "again", afterMs: AGAIN_MS, counted: true } : { take: "rejected" };
  if (reply.status === null) {
    if (NOT_THERE.has(reply.reason)) return { take: "again", afterMs: AGAIN_MS, counted: false };
    return countedAgain(MAX_LOST);
  }
  const { status, code, retryAfterSeconds = 1 } = reply;
  if (status === 200) return { take: "answered" };
  if (code === "inference.expired") return { take: "expired" };
  if (status === 503)
    return {
      take: "again",
      afterMs: Math.min(MAX_DEFER_SECONDS, Math.max(retryAfterSeconds, 0)) * 1000,
      counted: false,
    };
  // A release that brings the model may be on its way.
  if (code === "model.not-found") return { take: "again", afterMs: NO_MODEL_MS, counted: false };
  if (status >= 500) return countedAgain(MAX_FAILURES);
  return { take: "rejected" };
}
