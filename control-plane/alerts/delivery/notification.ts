import type { Alert, AlertPlace } from "../alert.ts";
import type { Outgoing } from "../notify-plan.ts";
import type { Severity } from "../rule.ts";
import { SIGNALS } from "../signals.ts";

/** Alerts written out in one notification; of more only the number is told. */
const MAX_ALERTS = 100;

/** An alert as receivers get it. Times in milliseconds since the epoch. */
interface NotifiedAlert {
  id: string;
  rule: string;
  severity: Severity;
  summary: string;
  remedy: string;
  place: AlertPlace;
  signal: string;
  value: number;
  unit: string;
  devices: number;
  examples: readonly string[];
  firedAt: number | null;
  resolvedAt: number | null;
  resolvedReason: string | null;
}

/** What a receiver is sent. Members may be added; none changes its meaning while `v` is 1. */
export interface Notification {
  v: 1;
  /** Stands for this notification: one that comes twice has the same id. */
  id: string;
  receiver: string;
  at: number;
  status: "firing" | "resolved";
  reason: "changed" | "repeat" | "test";
  /** The same for every notification of this group, for tools that keep incidents. */
  group: string;
  summary: string;
  severity: Severity;
  firing: NotifiedAlert[];
  resolved: NotifiedAlert[];
  /** Alerts of this group that are not written out. */
  omitted: number;
}

export function notificationOf(outgoing: Outgoing, id: string, now: number): Notification {
  const { receiver, group, reason } = outgoing;
  const firing = bySeverity(outgoing.firing);
  const resolved = bySeverity(outgoing.resolved);
  const listed = firing.slice(0, MAX_ALERTS);
  const over = resolved.slice(0, MAX_ALERTS - listed.length);
  return {
    v: 1,
    id,
    receiver: receiver.name,
    at: now,
    status: firing.length > 0 ? "firing" : "resolved",
    reason,
    group: `${receiver.groupBy}:${group}`,
    summary: summaryOf(firing, resolved),
    severity: (firing[0] ?? resolved[0])?.severity ?? "info",
    firing: listed.map(notified),
    resolved: over.map(notified),
    omitted: firing.length - listed.length + resolved.length - over.length,
  };
}

/** What `muster alert receiver test` sends. */
export const testNotification = (receiver: string, id: string, now: number): Notification => ({
  v: 1,
  id,
  receiver,
  at: now,
  status: "firing",
  reason: "test",
  group: `test:${receiver}`,
  summary: `Test of the alert receiver ${receiver}: nothing is wrong.`,
  severity: "info",
  firing: [],
  resolved: [],
  omitted: 0,
});

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

const bySeverity = (alerts: readonly Alert[]): Alert[] =>
  [...alerts].sort((a, b) => RANK[a.severity] - RANK[b.severity] || (a.firedAt ?? 0) - (b.firedAt ?? 0));

function summaryOf(firing: readonly Alert[], resolved: readonly Alert[]): string {
  const [first] = firing.length > 0 ? firing : resolved;
  if (!first) return "Nothing is wrong.";
  const more = Math.max(firing.length, firing.length > 0 ? 0 : resolved.length) - 1;
  const rest = more > 0 ? ` And ${more} more.` : "";
  return firing.length > 0 ? `${first.summary}${rest}` : `Over: ${first.summary}${rest}`;
}

const notified = (alert: Alert): NotifiedAlert => ({
  id: alert.id,
  rule: alert.rule,
  severity: alert.severity,
  summary: alert.summary,
  remedy: alert.remedy,
  place: alert.place,
  signal: alert.signal,
  value: alert.value,
  unit: SIGNALS[alert.signal]?.unit ?? "",
  devices: alert.breaching,
  examples: alert.examples,
  firedAt: alert.firedAt,
  resolvedAt: alert.resolvedAt,
  resolvedReason: alert.resolvedReason,
});

const time = (at: number | null): string => (at === null ? "" : new Date(at).toISOString());

/** What devices and receivers said may hold anything: a line stays a line. */
const plain = (text: string): string => text.replaceAll(/[\s\p{Cc}]+/gu, " ");

/** Subject and plain text of the notification for people. */
export function mailOf(notification: Notification): { subject: string; text: string } {
  const { status, reason, severity, summary, firing, resolved, omitted, receiver } = notification;
  const mark = reason === "test" ? "test" : status === "resolved" ? "resolved" : severity;
  const again = reason === "repeat" ? " (again)" : "";
  const subject = plain(`[muster ${mark}]${again} ${summary}`).slice(0, 200);
  const lines = [plain(summary), ""];
  for (const alert of firing)
    lines.push(
      `${alert.severity.toUpperCase()}  ${plain(alert.summary)}`,
      `  do:    ${plain(alert.remedy)}`,
      `  since: ${time(alert.firedAt)}   rule: ${alert.rule}   alert: ${alert.id}`,
      ...(alert.examples.length > 1 ? [`  among: ${alert.examples.join(", ")}`] : []),
      "",
    );
  for (const alert of resolved)
    lines.push(
      `RESOLVED  ${plain(alert.summary)}`,
      `  from ${time(alert.firedAt)} to ${time(alert.resolvedAt)}   rule: ${alert.rule}   alert: ${alert.id}`,
      "",
    );
  if (omitted > 0) lines.push(`${omitted} more: see \`muster alert list\`.`, "");
  lines.push(`Sent to the receiver ${receiver}; notification ${notification.id}.`, "");
  return { subject, text: lines.join("\n") };
}
