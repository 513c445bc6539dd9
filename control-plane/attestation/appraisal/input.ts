import type { EvidencePayload } from "@muster/shared/protocol/evidence";
import type { PolicyContent } from "../policy/policy.ts";
import type { ReferenceSet } from "../references/reference-set.ts";
import type { Assurance, Finding, Verdict } from "../verdict.ts";
import type { DeviceHistory } from "./history.ts";

/** What enrollment bound the device to. */
export interface DeviceBinding {
  readonly id: string;
  /** Ed25519, hex. */
  readonly signingKey: string;
  readonly assurance: Assurance;
  /** Name and TPM2B_PUBLIC (base64) of its attestation key; null for software keys. */
  readonly akName: string | null;
  readonly akPublic: string | null;
}

/** A signed release with the digests that it predicts. */
export interface PredictedRelease {
  readonly digest: string;
  readonly name: string;
  readonly version: string;
  readonly components: readonly {
    readonly type: "model" | "config";
    readonly name: string;
    readonly version: string;
    /** One for each variant. */
    readonly digests: readonly string[];
  }[];
}

/** What the control plane told the device to run, and what else it signed. */
export interface Predictions {
  /** What it is told now; null for nothing. */
  readonly current: PredictedRelease | null;
  /** What it was told before, newest first. */
  readonly former: readonly PredictedRelease[];
  readonly generation: number;
  /** Name and version of another signed release that this digest, of a release or of a component, belongs to. */
  signed(digest: string): string | undefined;
}

export interface AppraisalInput {
  readonly payload: EvidencePayload;
  readonly device: DeviceBinding;
  /**
   * `answer`: it answers a challenge that was open. `offline`: nobody asked, or nobody knows of the challenge.
   * `again`: it was appraised before, and references or policy changed since.
   */
  readonly how: "answer" | "offline" | "again";
  /** PCRs that the challenge asked for; what policy asks for where there was none. */
  readonly asked: PolicyContent["pcrs"];
  /** Sets for devices like this one. */
  readonly references: readonly ReferenceSet[];
  readonly predictions: Predictions;
  readonly policy: PolicyContent;
  readonly history: DeviceHistory;
  /** The boot log of the evidence, unpacked; null where it is not known. */
  readonly bootLog: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Appraisal {
  readonly verdict: Verdict;
  readonly history: DeviceHistory;
  /** Where the link belongs: one that is not `newest` says nothing of now. */
  readonly place: "newest" | "late" | "repeat" | "fork";
}

/** What a part of the appraisal found, and what it wants to be remembered. */
export interface Judged {
  readonly findings: readonly Finding[];
  readonly history: DeviceHistory;
}
