import { type AuditRecord, inserted, kept, updated } from "./record.ts";

const device = ["device", "NEW.id", "NEW.name"] as const;

export const DEVICES: readonly AuditRecord[] = [
  inserted("devices", {
    action: "'device.enroll'",
    subject: "'device/' || NEW.id",
    by: device,
    detail: {
      name: "NEW.name",
      site: "NEW.site",
      labels: "json(NEW.labels)",
      hardwareClass: "NEW.hardware_class",
      joinToken: "NEW.join_token",
      certificate: "NEW.certificate_serial",
      signingKey: "NEW.signing_key",
      assurance: "NEW.assurance",
      assuranceReason: "NEW.assurance_reason",
      tpm: "NEW.ek_name",
      replaces: "NEW.replaces",
    },
  }),
  updated("devices", ["status"], {
    action: "'device.' || NEW.status",
    subject: "'device/' || NEW.id",
    detail: {
      name: "NEW.name",
      statusWas: "OLD.status",
      reason: "coalesce(NEW.revoked_reason, NEW.quarantined_reason)",
      replacedBy: "NEW.replaced_by",
    },
  }),
  updated("devices", ["assurance", "ek_name", "ak_name"], {
    action: "'device.binding'",
    subject: "'device/' || NEW.id",
    detail: {
      assurance: "NEW.assurance",
      assuranceWas: "OLD.assurance",
      reason: "NEW.assurance_reason",
      tpm: "NEW.ek_name",
      tpmWas: "OLD.ek_name",
    },
  }),
  updated("devices", ["decommissioned_at"], {
    action: "'device.decommission'",
    subject: "'device/' || NEW.id",
    detail: { name: "NEW.name", at: "NEW.decommissioned_at" },
  }),
  inserted("device_commands", {
    action: "'device.command'",
    subject: "'device/' || NEW.device",
    detail: { command: "NEW.id", kind: "NEW.kind", notAfter: "NEW.not_after" },
  }),
  updated("device_commands", ["ended_at"], {
    action: "'device.command-end'",
    subject: "'device/' || NEW.device",
    by: ["device", "NEW.device", "NEW.device"],
    detail: { command: "NEW.id", kind: "NEW.kind", outcome: "NEW.outcome" },
  }),
  updated("devices", ["name", "site", "labels"], {
    action: "'device.change'",
    subject: "'device/' || NEW.id",
    detail: {
      name: "NEW.name",
      site: "NEW.site",
      labels: "json(NEW.labels)",
      nameWas: "OLD.name",
      siteWas: "OLD.site",
      labelsWere: "json(OLD.labels)",
    },
  }),
  updated("devices", ["certificate_serial", "signing_key"], {
    action: "'device.certificate'",
    subject: "'device/' || NEW.id",
    by: device,
    detail: {
      certificate: "NEW.certificate_serial",
      certificateWas: "OLD.certificate_serial",
      expiresAt: "NEW.certificate_expires_at",
      signingKey: "NEW.signing_key",
    },
  }),
];

export const ATTESTATION: readonly AuditRecord[] = [
  inserted("attestation_history", {
    action: "iif(NEW.source = 'refused', 'attestation.refuse', 'attestation.verdict')",
    subject: "'device/' || NEW.device",
    detail: {
      source: "NEW.source",
      tier: "NEW.tier",
      sentence: "NEW.sentence",
      findings:
        "json(coalesce((SELECT json_group_array(value ->> '$.code') FROM json_each(NEW.findings)), '[]'))",
    },
  }),
  inserted("attestation_standings", {
    when: "NEW.withheld = 1",
    action: "'device.withhold'",
    subject: "'device/' || NEW.device",
    detail: { tier: "NEW.tier", sentence: "NEW.sentence" },
  }),
  updated("attestation_standings", ["withheld"], {
    action: "iif(NEW.withheld = 1, 'device.withhold', 'device.withhold-end')",
    subject: "'device/' || NEW.device",
    detail: { tier: "NEW.tier", tierWas: "OLD.tier", sentence: "NEW.sentence" },
  }),
  ...kept(
    "attestation_policies",
    "attestation-policy",
    (row) => `${row}.scope`,
    (row) => ({ content: `json(${row}.content)` }),
  ),
  ...kept(
    "attestation_references",
    "reference",
    (row) => `${row}.name`,
    (row) => ({
      sequence: `${row}.sequence`,
      hardwareClass: `${row}.hardware_class`,
      digest: `${row}.digest`,
      key: `${row}.key_id`,
    }),
  ),
  ...kept(
    "ek_roots",
    "ek-root",
    (row) => `${row}.id`,
    (row) => ({ name: `${row}.name` }),
  ),
];
