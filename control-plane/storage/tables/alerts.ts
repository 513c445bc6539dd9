/** Alerting in control.db. Times in milliseconds since the epoch by the control plane's clock. */

export interface AlertRulesTable {
  name: string;
  /** JSON `AlertRule`; it takes the place of a built-in rule of this name. */
  rule: string;
  changed_at: number;
  changed_by: string;
}

/** Active alerts, and those that fired and ended. */
export interface AlertsTable {
  id: string;
  rule: string;
  group_key: string;
  /** JSON `AlertPlace`. */
  place: string;
  site: string | null;
  severity: string;
  signal: string;
  state: "pending" | "firing" | "resolved";
  since: number;
  fired_at: number | null;
  quiet_since: number | null;
  unknown_since: number | null;
  resolved_at: number | null;
  resolved_reason: string | null;
  breaching: number;
  members: number;
  value: number;
  /** JSON list of names. */
  examples: string;
  summary: string;
  remedy: string;
}

export interface AlertSilencesTable {
  id: string;
  selector: string;
  from_at: number;
  until_at: number;
  reason: string;
  created_by: string;
  created_at: number;
}

export interface AlertReceiversTable {
  name: string;
  /** JSON `Receiver`, without its secret. */
  receiver: string;
  /** Key of the webhook's signature or password of the mail account; no answer of the API holds it. */
  secret: string | null;
  changed_at: number;
  changed_by: string;
}

/** What each receiver knows as firing. */
export interface AlertToldTable {
  receiver: string;
  group_key: string;
  last_sent_at: number;
  /** JSON list of alert ids. */
  told: string;
}

/** Notifications: those that wait for delivery, and how the others ended. */
export interface AlertNotificationsTable {
  /** Also the key by which a receiver knows one that it has got already. */
  id: string;
  /** Order of making. */
  seq: number;
  receiver: string;
  group_key: string;
  /** JSON `Notification`, byte for byte as it is sent. */
  body: string;
  created_at: number;
  attempts: number;
  next_attempt_at: number;
  /** How it ended; null while it waits. */
  outcome: "delivered" | "refused" | "given-up" | null;
  ended_at: number | null;
  /** What the newest attempt failed with. */
  error: string | null;
}

export interface AlertTables {
  alert_rules: AlertRulesTable;
  alerts: AlertsTable;
  alert_silences: AlertSilencesTable;
  alert_receivers: AlertReceiversTable;
  alert_told: AlertToldTable;
  alert_notifications: AlertNotificationsTable;
}
