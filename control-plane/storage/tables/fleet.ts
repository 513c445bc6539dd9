import type { Generated } from "kysely";

/** Tables of the fleet in control.db. Times are milliseconds since the epoch; `*_json`-like text columns say so. */

export interface DevicesTable {
  id: string;
  /** Unique within the site; the device id where the device gave none. */
  name: string;
  site: string;
  /** JSON object of strings. */
  labels: string;
  /** Ed25519 public key with which the device signs what it says, hex. */
  signing_key: string;
  /** JSON `HardwareFacts`. */
  hardware: string;
  hardware_class: string;
  /** In quarantine a device may speak and gets nothing new. */
  status: "active" | "quarantined" | "revoked";
  enrolled_at: number;
  /** Id of the join token that let it in. */
  join_token: string | null;
  certificate_serial: string;
  certificate_expires_at: number;
  /** Generation of the newest directive, 0 when none was ever issued. */
  generation: number;
  /** JSON text of the newest directive exactly as published. */
  directive: string | null;
  /** JSON `ReportedState`. */
  reported: string | null;
  reported_session: string | null;
  reported_seq: number;
  reported_at: number | null;
  /** Digest of the release in `reported.running`, for counting without parsing. */
  running_digest: string | null;
  agent_version: string | null;
  last_seen_at: number | null;
  revoked_at: number | null;
  revoked_reason: string | null;
  /** How sure it is who speaks, and why it is no surer or by whose word it is; one sentence. */
  assurance: Generated<"tpm-certified" | "tpm-pinned" | "software">;
  assurance_reason: string | null;
  /** Names of its TPM's endorsement and attestation key, hex; null for software keys. */
  ek_name: string | null;
  ak_name: string | null;
  /** TPM2B_PUBLIC, base64. */
  ak_public: string | null;
  /** X25519 public key to which its secrets are sealed, hex. */
  sealing_key: string | null;
  quarantined_at: number | null;
  quarantined_reason: string | null;
  /** It was told to wipe itself and said that it did. */
  decommissioned_at: number | null;
  /** Id of the device whose place it took, and of the one that took its place. */
  replaces: string | null;
  replaced_by: string | null;
  /** Grows with every change but that of `last_seen_at`; triggers set it. */
  revision: Generated<number>;
}

export interface JoinTokensTable {
  id: string;
  /** SHA-256 of the secret, hex: the secret itself is shown once and never kept. */
  secret_hash: string;
  site: string;
  labels: string;
  uses: number;
  uses_left: number;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
  /** Least assurance of the devices that it lets in. */
  min_assurance: "tpm-certified" | "tpm-pinned" | "software";
  /** Id of the device whose place the one that enrolls takes. */
  replaces: string | null;
}

/** One update attempt of one device; the phase only moves forward. */
export interface DeviceUpdatesTable {
  device: string;
  generation: number;
  rollout: string | null;
  /** JSON `ReleaseRef` or null for "run nothing". */
  release: string | null;
  phase: string;
  outcome: string | null;
  /** JSON `Failure`. */
  failure: string | null;
  started_at: number;
  /** Device time of the newest record applied. */
  at: number;
  /** Grows with every change; triggers set it. */
  revision: Generated<number>;
}

export interface DeviceEventsTable {
  /** `<device>/<outbox>/<seq>` for what the device told, so that a resent record lands on itself. */
  id: string;
  device: string;
  source: "device" | "control-plane";
  code: string;
  message: string;
  at: number;
  received_at: number;
  /** 1 where the device told it while it did not pass attestation. */
  withheld: Generated<number>;
}

export interface FleetTables {
  devices: DevicesTable;
  join_tokens: JoinTokensTable;
  device_updates: DeviceUpdatesTable;
  device_events: DeviceEventsTable;
}
