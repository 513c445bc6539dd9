import { type AuditRecord, inserted, kept, updated } from "./record.ts";

const signedIn = [
  "operator",
  "NEW.operator",
  "(SELECT name FROM operators WHERE id = NEW.operator)",
] as const;

export const PEOPLE: readonly AuditRecord[] = [
  inserted("join_tokens", {
    action: "'token.create'",
    subject: "'token/' || NEW.id",
    detail: {
      site: "NEW.site",
      labels: "json(NEW.labels)",
      uses: "NEW.uses",
      expiresAt: "NEW.expires_at",
      minAssurance: "NEW.min_assurance",
      replaces: "NEW.replaces",
    },
  }),
  updated("join_tokens", ["revoked_at"], {
    action: "'token.revoke'",
    subject: "'token/' || NEW.id",
    detail: { site: "NEW.site", usesLeft: "NEW.uses_left" },
  }),
  inserted("operators", {
    action: "'operator.create'",
    subject: "'operator/' || NEW.id",
    detail: { name: "NEW.name", grants: "json(NEW.grants)", issuer: "NEW.issuer", person: "NEW.subject" },
  }),
  updated("operators", ["name", "grants"], {
    action: "'operator.change'",
    subject: "'operator/' || NEW.id",
    detail: {
      name: "NEW.name",
      nameWas: "OLD.name",
      grants: "json(NEW.grants)",
      grantsWere: "json(OLD.grants)",
    },
  }),
  updated("operators", ["revoked_at"], {
    action: "'operator.revoke'",
    subject: "'operator/' || NEW.id",
    detail: { name: "NEW.name" },
  }),
  inserted("operator_tokens", {
    action: "'operator.token-create'",
    subject: "'operator/' || NEW.operator",
    detail: {
      token: "NEW.id",
      name: "NEW.name",
      grants: "json(NEW.grants)",
      expiresAt: "NEW.expires_at",
    },
  }),
  updated("operator_tokens", ["revoked_at"], {
    action: "'operator.token-revoke'",
    subject: "'operator/' || NEW.operator",
    detail: { token: "NEW.id", name: "NEW.name" },
  }),
  inserted("sessions", {
    action: "'operator.sign-in'",
    subject: "'operator/' || NEW.operator",
    by: signedIn,
    detail: { session: "NEW.id", kind: "NEW.kind", expiresAt: "NEW.expires_at" },
  }),
  updated("sessions", ["ended_at"], {
    action: "'operator.sign-out'",
    subject: "'operator/' || NEW.operator",
    detail: { session: "NEW.id", kind: "NEW.kind" },
  }),
  ...kept(
    "approval_policies",
    "approval-policy",
    (row) => `${row}.site`,
    (row) => ({ approvals: `${row}.approvals` }),
  ),
  ...kept(
    "secrets",
    "secret",
    (row) => `${row}.id`,
    // Neither the value nor what it was sealed to.
    (row) => ({
      name: `${row}.name`,
      scope: `${row}.scope`,
      version: `${row}.version`,
      key: `${row}.key_id`,
    }),
  ),
];

export const MODEL_KEYS: readonly AuditRecord[] = [
  inserted("model_keys", {
    action: "'model-key.create'",
    subject: "'model-key/' || NEW.id",
    detail: { name: "NEW.name" },
  }),
  updated("model_keys", ["withdrawn_at"], {
    action: "'model-key.withdraw'",
    subject: "'model-key/' || NEW.id",
    detail: { name: "NEW.name" },
  }),
  inserted("release_keys", {
    action: "'release.key'",
    subject: "'model-key/' || NEW.key",
    detail: { release: "NEW.release" },
  }),
  inserted("model_key_leases", {
    action: "'model-key.lease'",
    subject: "'device/' || NEW.device",
    detail: { key: "NEW.key", notAfter: "NEW.not_after" },
  }),
  updated("model_key_leases", ["issued_at"], {
    action: "'model-key.lease'",
    subject: "'device/' || NEW.device",
    detail: { key: "NEW.key", notAfter: "NEW.not_after" },
  }),
];
