import type { Generated } from "kysely";

/** What the control plane holds of each device by its evidence. Times in milliseconds since the epoch. */
export interface AttestationStandingsTable {
  device: string;
  tier: "affirming" | "warning" | "contraindicated" | "none";
  /** JSON: tier by claim. */
  claims: string;
  /** JSON: list of `Finding`. */
  findings: string;
  /** The whole in one plain sentence. */
  sentence: string;
  /** When it was appraised. */
  at: number;
  /** When fresh evidence was appraised last: an answer to a challenge. */
  fresh_at: number | null;
  /** From then on it counts as `none`; one that is contraindicated stays until better evidence comes. */
  not_after: number;
  /** 1 while the device gets nothing new because of it. */
  withheld: number;
  /** From this moment on it gets nothing new; null where policy does not withhold for want of a verdict. */
  withheld_after: number | null;
  /** Grows with every change; triggers set it. */
  revision: Generated<number>;
}

/** What an appraisal needs of those before: one row a device. */
export interface AttestationStatesTable {
  device: string;
  /** JSON `DeviceHistory`. */
  history: string;
  /** JSON of the newest signed evidence, without its logs; references and policy are applied to it anew. */
  evidence: string | null;
  /** Digest of the newest boot log that was kept. */
  boot_log: string | null;
}

/** Boot logs by digest: boxes of one kind have the same. */
export interface AttestationLogsTable {
  digest: string;
  /** gzip. */
  content: Uint8Array;
  used_at: number;
}

/** Verdicts as they changed, and evidence that was refused. */
export interface AttestationHistoryTable {
  id: Generated<number>;
  device: string;
  at: number;
  /** What brought it about. */
  source: "challenge" | "offline" | "reappraisal" | "operator" | "refused";
  /** Null for evidence that was refused. */
  tier: "affirming" | "warning" | "contraindicated" | "none" | null;
  sentence: string;
  /** JSON: list of `Finding`. */
  findings: string;
}

/** What operators decided about attestation, one row for each place. */
export interface AttestationPoliciesTable {
  /** `fleet`, `site:PATH` or `class:NAME`. */
  scope: string;
  /** JSON of `PolicyContent`. */
  content: string;
  changed_by: string;
  changed_at: number;
}

/** Reference sets in force, one row for each name. */
export interface AttestationReferencesTable {
  name: string;
  sequence: number;
  hardware_class: string;
  /** Digest of the canonical JSON of the set. */
  digest: string;
  /** Signed document, JSON. */
  document: string;
  key_id: string;
  imported_by: string;
  imported_at: number;
}

export interface AttestationTables {
  attestation_standings: AttestationStandingsTable;
  attestation_states: AttestationStatesTable;
  attestation_logs: AttestationLogsTable;
  attestation_history: AttestationHistoryTable;
  attestation_policies: AttestationPoliciesTable;
  attestation_references: AttestationReferencesTable;
}
