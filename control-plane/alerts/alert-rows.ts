import type { AlertsTable } from "../storage/tables/alerts.ts";
import type { Alert, AlertPlace, ResolvedReason } from "./alert.ts";
import type { Severity } from "./rule.ts";
import type { SignalName } from "./signals.ts";

export const alertOf = (row: AlertsTable): Alert => ({
  id: row.id,
  rule: row.rule,
  group: row.group_key,
  place: JSON.parse(row.place) as AlertPlace,
  severity: row.severity as Severity,
  signal: row.signal as SignalName,
  state: row.state,
  since: row.since,
  firedAt: row.fired_at,
  quietSince: row.quiet_since,
  unknownSince: row.unknown_since,
  resolvedAt: row.resolved_at,
  resolvedReason: row.resolved_reason as ResolvedReason | null,
  breaching: row.breaching,
  members: row.members,
  value: row.value,
  examples: JSON.parse(row.examples) as string[],
  summary: row.summary,
  remedy: row.remedy,
});

export const rowOf = (alert: Alert): AlertsTable => ({
  id: alert.id,
  rule: alert.rule,
  group_key: alert.group,
  place: JSON.stringify(alert.place),
  site: alert.place.site,
  severity: alert.severity,
  signal: alert.signal,
  state: alert.state,
  since: alert.since,
  fired_at: alert.firedAt,
  quiet_since: alert.quietSince,
  unknown_since: alert.unknownSince,
  resolved_at: alert.resolvedAt,
  resolved_reason: alert.resolvedReason,
  breaching: alert.breaching,
  members: alert.members,
  value: alert.value,
  examples: JSON.stringify(alert.examples),
  summary: alert.summary,
  remedy: alert.remedy,
});

/** Columns of the table. */
export const ALERT_COLUMNS: readonly (keyof AlertsTable)[] = [
  "id",
  "rule",
  "group_key",
  "place",
  "site",
  "severity",
  "signal",
  "state",
  "since",
  "fired_at",
  "quiet_since",
  "unknown_since",
  "resolved_at",
  "resolved_reason",
  "breaching",
  "members",
  "value",
  "examples",
  "summary",
  "remedy",
];
