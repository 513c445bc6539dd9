import type { ErrorCode } from "@muster/shared/errors";
import { type Cause, CLAIMS, type Claim, type Finding, type VerdictTier } from "../verdict.ts";

type AttestationCode = Extract<ErrorCode, `attestation.${string}`>;
/** How much a finding counts; `information` changes nothing. */
export type Weight = "information" | "warning" | "contraindicated";

export const finding = (
  claim: Claim,
  weight: Weight,
  code: AttestationCode,
  cause: Cause,
  message: string,
): Finding => ({ claim, tier: weight === "information" ? "affirming" : weight, code, cause, message });

const RANK: Record<VerdictTier, number> = { none: 0, affirming: 1, warning: 2, contraindicated: 3 };

/** The worse of two. `none` is better than anything that was found. */
const worse = (a: VerdictTier, b: VerdictTier): VerdictTier => (RANK[b] > RANK[a] ? b : a);

/** Most findings that a verdict lists; the worst ones stay. */
const MOST_FINDINGS = 24;

/**
 * Claims and whole of what was found.
 * @param proven claims that the evidence speaks about; the others stay `none` unless something was found
 */
export function foldFindings(
  findings: readonly Finding[],
  proven: readonly Claim[],
): { tier: VerdictTier; claims: Record<Claim, VerdictTier>; findings: Finding[] } {
  const claims = Object.fromEntries(
    CLAIMS.map((claim) => {
      const start: VerdictTier = proven.includes(claim) ? "affirming" : "none";
      const found = findings.filter((each) => each.claim === claim && each.tier !== "affirming");
      return [claim, found.reduce<VerdictTier>((tier, each) => worse(tier, each.tier), start)];
    }),
  ) as Record<Claim, VerdictTier>;
  const tier = Object.values(claims).reduce<VerdictTier>(worse, "none");
  const sorted = [...findings].sort((a, b) => RANK[b.tier] - RANK[a.tier]);
  return { tier, claims, findings: sorted.slice(0, MOST_FINDINGS) };
}
