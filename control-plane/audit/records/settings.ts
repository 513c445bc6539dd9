import { type AuditRecord, kept } from "./record.ts";

export const SETTINGS: readonly AuditRecord[] = [
  ...kept(
    "sites",
    "site",
    (row) => `${row}.path`,
    (row) => ({
      labels: `json(${row}.labels)`,
      timeZone: `${row}.time_zone`,
      uplinkKbps: `${row}.uplink_kbps`,
      windows: `json(${row}.windows)`,
    }),
  ),
  ...kept(
    "groups",
    "group",
    (row) => `${row}.name`,
    (row) => ({ selector: `${row}.selector`, description: `${row}.description` }),
  ),
  ...kept(
    "power_policies",
    "power-policy",
    (row) => `${row}.scope`,
    (row) => ({ content: `json(${row}.content)` }),
  ),
  ...kept(
    "energy_factors",
    "energy-factor",
    (row) => `${row}.id`,
    (row) => ({
      site: `${row}.site`,
      from: `${row}.from_at`,
      costPerKwh: `${row}.cost_per_kwh`,
      currency: `${row}.currency`,
      gramsPerKwh: `${row}.grams_per_kwh`,
    }),
  ),
  ...kept(
    "alert_rules",
    "alert-rule",
    (row) => `${row}.name`,
    (row) => ({ rule: `json(${row}.rule)` }),
  ),
  ...kept(
    "alert_receivers",
    "alert-receiver",
    (row) => `${row}.name`,
    // Of the secret only that there is one: a digest of a short one could be tried out.
    (row) => ({ receiver: `json(${row}.receiver)`, hasSecret: `(${row}.secret IS NOT NULL)` }),
  ),
  ...kept(
    "alert_silences",
    "alert-silence",
    (row) => `${row}.id`,
    (row) => ({
      selector: `${row}.selector`,
      from: `${row}.from_at`,
      until: `${row}.until_at`,
      reason: `${row}.reason`,
    }),
  ),
];
