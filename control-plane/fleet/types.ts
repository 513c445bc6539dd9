import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Failure, Labels, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { DirectivePayload } from "@muster/shared/trust/directive";
import type { Assurance, TrustStanding } from "../attestation/verdict.ts";
import type { Liveness } from "./liveness.ts";
import type { EffectiveSite, SiteSettings } from "./site-book.ts";

/** `quarantined`: it may connect and attest, and gets nothing new. */
export type DeviceStatus = "active" | "quarantined" | "revoked";

/** A device as lists show it. Times in milliseconds since the epoch. */
export interface DeviceSummary {
  id: string;
  name: string;
  site: string;
  /** Its own. */
  labels: Labels;
  status: DeviceStatus;
  liveness: Liveness;
  lastSeenAt: number | null;
  hardwareClass: string;
  agentVersion: string | null;
  /** Generation of the newest directive, 0 when there is none. */
  generation: number;
  /** What the device proved to run, null for nothing or not known. */
  running: ReleaseRef | null;
  /** The update under way as the device reported it. */
  update: ReportedState["update"];
  lastResult: ReportedState["lastResult"];
  /** How far it is trusted now; see docs/attestation.md. */
  trust: TrustStanding;
  /** Why it gets nothing new, one sentence; null for a device that passes. */
  withheldBecause: string | null;
}

export interface DeviceDetail extends DeviceSummary {
  /** Labels of its site and of those above that it does not have itself. */
  inheritedLabels: Labels;
  /** Saved groups that it is in now. */
  groups: string[];
  hardware: HardwareFacts;
  /** The newest verdict in one sentence; null before the first one. */
  verdictSentence: string | null;
  signingKey: string;
  enrolledAt: number;
  joinToken: string | null;
  /** Who it is: by its TPM where it has one. Names hex. */
  identity: {
    assurance: Assurance;
    /** By whose word, or why it is no surer; one sentence. */
    reason: string | null;
    ekName: string | null;
    akName: string | null;
    sealingKey: string | null;
    replaces: string | null;
    replacedBy: string | null;
  };
  quarantined: { at: number; reason: string } | null;
  /** When it told that it had wiped itself. */
  decommissionedAt: number | null;
  certificate: { serial: string; expiresAt: number };
  connected: boolean;
  reported: ReportedState | null;
  reportedAt: number | null;
  directive: DirectivePayload | null;
  storedResults: number;
  /** Those of them that came while it did not pass attestation. */
  withheldResults: number;
  revoked: { at: number; reason: string } | null;
}

export interface DeviceQuery {
  /** This site and everything below it. */
  site?: string;
  status?: DeviceStatus;
  liveness?: Liveness;
  /** Digest of the running release. */
  release?: string;
  /** Part of the id or name. */
  text?: string;
  /** See docs/selectors.md; it has to hold together with the others. */
  selector?: string;
  /** 1 to 1000, 100 unless told. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export type LivenessCounts = Record<Liveness, number>;

/** One site path with devices or settings at or below it; the counts include everything below. */
export interface SiteSummary {
  site: string;
  devices: number;
  revoked: number;
  liveness: LivenessCounts;
  /** What is stated of the site itself. */
  settings: SiteSettings;
  /** With everything that it inherits. */
  effective: EffectiveSite;
}

export interface ReleaseCount {
  /** Null counts the active devices that run nothing or have not reported yet. */
  release: ReleaseRef | null;
  devices: number;
}

export interface FleetSummary {
  devices: number;
  /** Not revoked. */
  active: number;
  revoked: number;
  /** Active devices that get nothing new. */
  withheld: number;
  liveness: LivenessCounts;
  releases: ReleaseCount[];
  /** Active devices by the phase of the update under way. */
  updating: Record<string, number>;
  /** Active devices by the outcome of their newest finished update. */
  outcomes: Record<string, number>;
  storedResults: number;
}

/** Newest first. */
export type TimelineEntry =
  | {
      kind: "update";
      at: number;
      generation: number;
      rollout: string | null;
      release: ReleaseRef | null;
      phase: string;
      outcome: string | null;
      failure: Failure | null;
      startedAt: number;
    }
  | {
      kind: "event";
      at: number;
      source: "device" | "control-plane";
      code: string;
      message: string;
      withheld: boolean;
    };
