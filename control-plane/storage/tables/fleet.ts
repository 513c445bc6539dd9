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
  status: "active" | "revoked";
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
}

export interface FleetTables {
  devices: DevicesTable;
  join_tokens: JoinTokensTable;
  device_updates: DeviceUpdatesTable;
  device_events: DeviceEventsTable;
}
