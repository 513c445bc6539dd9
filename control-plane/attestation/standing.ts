import type { PolicyContent } from "./policy/policy.ts";
import type { HistoryEntry, StoredStanding } from "./store.ts";
import { CLAIMS, type Claim, type Verdict, type VerdictTier } from "./verdict.ts";

/** The verdict on a device of which nothing is known, or wanted to be known. */
export const nothingKnown = ({ mode }: Pick<PolicyContent, "mode">, now: number): Verdict => ({
  tier: "none",
  claims: Object.fromEntries(CLAIMS.map((claim) => [claim, "none"])) as Record<Claim, VerdictTier>,
  findings: [],
  sentence: mode === "off" ? "Policy does not ask it for evidence." : "It has given no evidence yet.",
  at: now,
  notAfter: now,
});

/**
 * What follows from a verdict under a policy.
 * @param freshAt when a challenge was answered last
 */
export function standingOf(
  verdict: Verdict,
  { mode, unattested }: Pick<PolicyContent, "mode" | "unattested">,
  freshAt: number | null,
): Omit<StoredStanding, "device"> {
  const { tier, claims, findings, sentence, at, notAfter } =
    mode === "off" ? nothingKnown({ mode }, verdict.at) : verdict;
  return {
    ...{ tier, claims, findings, sentence, at, notAfter, freshAt },
    withheld: mode === "enforce" && tier === "contraindicated",
    withheldAfter: mode === "enforce" && unattested === "withhold" ? notAfter : null,
  };
}

/** A line of history, where something is new in the verdict. */
export function entryOf(
  before: Verdict | undefined,
  { at, tier, sentence, findings }: Verdict,
  source: HistoryEntry["source"],
): HistoryEntry | undefined {
  const known = new Set(before?.findings.map(({ code }) => code));
  if (before?.tier === tier && findings.every(({ code }) => known.has(code))) return undefined;
  return { at, source, tier, sentence, findings };
}
