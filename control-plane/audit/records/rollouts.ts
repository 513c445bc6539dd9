import { type AuditRecord, deleted, inserted, updated } from "./record.ts";

export const RELEASES: readonly AuditRecord[] = [
  inserted("trust_metadata", {
    // Snapshot and timestamp are signed anew by the clock, and say nothing that these two do not.
    when: "NEW.role IN ('root', 'targets')",
    action: "'trust.' || NEW.role",
    subject: "'trust/' || NEW.role || '/' || NEW.version",
    detail: { version: "NEW.version", expiresAt: "NEW.expires_at", digest: "audit_sha256(NEW.body)" },
  }),
  inserted("releases", {
    action: "'release.create'",
    subject: "'release/' || NEW.name || '@' || NEW.version",
    detail: { digest: "NEW.digest", sequence: "NEW.sequence", bytes: "NEW.size" },
  }),
  inserted("model_keys", {
    action: "'key.put'",
    subject: "'model-key/' || NEW.id",
    detail: { name: "NEW.name", digest: "NEW.digest" },
  }),
  updated("model_keys", ["withdrawn_at"], {
    action: "'key.withdraw'",
    subject: "'model-key/' || NEW.id",
    detail: { name: "NEW.name" },
  }),
  inserted("model_key_leases", {
    action: "'key.release'",
    subject: "'model-key/' || NEW.key",
    by: ["device", "NEW.device", "NEW.device"],
    detail: { device: "NEW.device", notAfter: "NEW.not_after" },
  }),
  updated("model_key_leases", ["issued_at"], {
    action: "'key.release'",
    subject: "'model-key/' || NEW.key",
    by: ["device", "NEW.device", "NEW.device"],
    detail: { device: "NEW.device", notAfter: "NEW.not_after" },
  }),
  inserted("quarantines", {
    action: "'release.quarantine'",
    subject: "'release/' || NEW.release",
    detail: { hardwareClass: "NEW.hardware_class", rollout: "NEW.rollout", reason: "NEW.reason" },
  }),
  deleted("quarantines", {
    action: "'release.quarantine-lift'",
    subject: "'release/' || OLD.release",
    detail: { hardwareClass: "OLD.hardware_class", rollout: "OLD.rollout", reason: "OLD.reason" },
  }),
];

export const ROLLOUTS: readonly AuditRecord[] = [
  inserted("rollouts", {
    action: "'rollout.plan'",
    subject: "'rollout/' || NEW.id",
    detail: { release: "json(NEW.release)", plan: "json(NEW.plan)" },
  }),
  // Everything that the engine decides and operators do is told as an event, with the numbers it rests on.
  inserted("rollout_events", {
    action: "'rollout.' || NEW.kind",
    subject: "'rollout/' || NEW.rollout",
    detail: { event: "NEW.seq", sentence: "NEW.sentence", numbers: "json(NEW.numbers)" },
  }),
  inserted("leases", {
    action: "'engine.lease'",
    subject: "'lease/' || NEW.name",
    detail: { holder: "NEW.holder", epoch: "NEW.epoch" },
  }),
  updated("leases", ["epoch"], {
    action: "'engine.lease'",
    subject: "'lease/' || NEW.name",
    detail: { holder: "NEW.holder", holderWas: "OLD.holder", epoch: "NEW.epoch" },
  }),
  inserted("freezes", {
    action: "'freeze.create'",
    subject: "'freeze/' || NEW.id",
    detail: { site: "NEW.site", from: "NEW.from_at", to: "NEW.to_at", reason: "NEW.reason" },
  }),
  updated("freezes", ["ended_at"], {
    action: "'freeze.end'",
    subject: "'freeze/' || NEW.id",
    detail: { site: "NEW.site", plannedTo: "NEW.to_at", endedAt: "NEW.ended_at" },
  }),
];
