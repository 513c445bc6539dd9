/** How sure it is who speaks: see docs/attestation.md. Best first. */
export const ASSURANCES = ["tpm-certified", "tpm-pinned", "software"] as const;
export type Assurance = (typeof ASSURANCES)[number];

/**
 * Outcome of an appraisal, in the tiers of AR4SI (draft-ietf-rats-ar4si). `none`: nothing to judge by yet, or what
 * there was is too old.
 */
export const VERDICTS = ["affirming", "warning", "contraindicated", "none"] as const;
export type VerdictTier = (typeof VERDICTS)[number];

/** Claims of AR4SI that Muster makes; the others cannot be known from a TPM quote. */
export const CLAIMS = [
  "instance-identity",
  "configuration",
  "executables",
  "file-system",
  "hardware",
  "storage-opaque",
] as const;
export type Claim = (typeof CLAIMS)[number];

/** What most likely brought a finding about, so that an operator can tell them apart. */
export const CAUSES = [
  "rollout",
  "firmware-update",
  "power-cut",
  "drift",
  "attack",
  "fault",
  "unknown",
] as const;
export type Cause = (typeof CAUSES)[number];

/** One thing that an appraisal found. */
export interface Finding {
  readonly claim: Claim;
  readonly tier: Exclude<VerdictTier, "none">;
  /** Of the error catalogue, family `attestation.`. */
  readonly code: string;
  readonly cause: Cause;
  /** One plain sentence: what is different, and what it most likely means. */
  readonly message: string;
}

/** What the control plane holds of a device. Times in milliseconds since the epoch. */
export interface Verdict {
  readonly tier: VerdictTier;
  readonly claims: Readonly<Record<Claim, VerdictTier>>;
  readonly findings: readonly Finding[];
  /** The whole in one plain sentence. */
  readonly sentence: string;
  /** When the evidence was appraised. */
  readonly at: number;
  /** After this moment it counts as `none`. */
  readonly notAfter: number;
}

/** What selectors, gates and everything that gives something new ask of a device. */
export interface TrustStanding {
  readonly assurance: Assurance;
  /** Of now: an outdated one is `none`. */
  readonly verdict: VerdictTier;
  /** True while it gets nothing new: the verdict is contraindicated and policy enforces it, or it is quarantined. */
  readonly withheld: boolean;
}
