import type { Alert, ResolvedReason } from "./alert.ts";
import type { AlertRule } from "./rule.ts";
import { sentenceOf } from "./sentences.ts";
import type { Reading } from "./tally.ts";

/** After so long without any news of its signal an alert ends, milliseconds. */
export const UNKNOWN_LIMIT_MS = 86_400_000;

/** What became of an alert. `dropped` is a pending one that never fired: nothing is kept of it. */
export type Change = "pending" | "firing" | "resolved" | "dropped" | "updated" | "unchanged";

export interface Judgement {
  alert: Alert;
  change: Change;
}

/** Whether a group as a whole meets the rule's condition. */
const holds = (rule: AlertRule, { known, breaching }: Reading): boolean =>
  breaching >= Math.max(1, rule.minDevices) && 100 * breaching >= rule.minPercent * known;

/**
 * The next state of one rule in one group: inactive, pending while the condition has not held for long enough,
 * firing until it has been over for long enough, resolved. What is not known moves nothing: a pending alert does
 * not fire and a firing one is not resolved by silence.
 * @param reading undefined where the group does not exist any more
 * @param former the active alert of this rule and group
 * @returns undefined where there is no alert and was none
 */
export function judge(
  rule: AlertRule,
  group: string,
  reading: Reading | undefined,
  former: Alert | undefined,
  now: number,
  newId: () => string,
): Judgement | undefined {
  if (former === undefined)
    return reading !== undefined && holds(rule, reading)
      ? begun(rule, group, reading, now, newId())
      : undefined;
  if (reading === undefined) return ended(former, "gone", now);
  if (reading.known === 0) return withoutNews(former, now);
  const seen = withFigures(rule, reading, former);
  return holds(rule, reading) ? goesOn(rule, seen, former, now) : calmsDown(rule, seen, former, now);
}

/**
 * The alert as if the time in which no control plane looked had not passed: it neither lets a pending alert fire nor
 * resolves a firing one. The alert itself where nothing changes.
 * @param from begin of that time, milliseconds since the epoch
 * @param to its end
 */
export function withoutAbsence(alert: Alert, from: number, to: number): Alert {
  const later = (since: number): number => since + Math.max(0, to - Math.max(from, since));
  const since = alert.state === "pending" ? later(alert.since) : alert.since;
  const quietSince = alert.quietSince === null ? null : later(alert.quietSince);
  return since === alert.since && quietSince === alert.quietSince ? alert : { ...alert, since, quietSince };
}

/** An alert whose rule is gone or switched off. */
export const withoutRule = (former: Alert, now: number): Judgement => ended(former, "rule-removed", now);

function begun(rule: AlertRule, group: string, reading: Reading, now: number, id: string): Judgement {
  const fires = rule.forSeconds === 0;
  const alert: Alert = {
    id,
    rule: rule.name,
    group,
    place: reading.place,
    severity: rule.severity,
    signal: rule.signal,
    state: fires ? "firing" : "pending",
    since: now,
    firedAt: fires ? now : null,
    quietSince: null,
    unknownSince: null,
    resolvedAt: null,
    resolvedReason: null,
    breaching: reading.breaching,
    members: reading.known,
    value: reading.worst,
    examples: reading.examples,
    summary: sentenceOf(rule.summary, rule, reading),
    remedy: sentenceOf(rule.remedy, rule, reading),
  };
  return { alert, change: fires ? "firing" : "pending" };
}

function goesOn(rule: AlertRule, seen: Alert, former: Alert, now: number): Judgement {
  // A clock that was set back must not keep an alert pending for hours.
  const since = Math.min(seen.since, now);
  const fires = former.state === "pending" && now - since >= rule.forSeconds * 1000;
  const isAsBefore = since === seen.since && seen.quietSince === null && seen.unknownSince === null;
  const alert = isAsBefore ? seen : { ...seen, since, quietSince: null, unknownSince: null };
  if (fires) return { alert: { ...alert, state: "firing", firedAt: now }, change: "firing" };
  return told(alert, former);
}

function calmsDown(rule: AlertRule, seen: Alert, former: Alert, now: number): Judgement {
  if (former.state === "pending") return { alert: former, change: "dropped" };
  const quietSince = Math.min(former.quietSince ?? now, now);
  if (now - quietSince >= rule.keepFiringSeconds * 1000) return ended(former, "recovered", now);
  // The figures that made it fire say more than those of the calm after it.
  return told({ ...former, severity: seen.severity, quietSince, unknownSince: null }, former);
}

function withoutNews(former: Alert, now: number): Judgement {
  const unknownSince = Math.min(former.unknownSince ?? now, now);
  if (now - unknownSince >= UNKNOWN_LIMIT_MS) return ended(former, "unknown", now);
  return told({ ...former, unknownSince }, former);
}

function ended(former: Alert, resolvedReason: ResolvedReason, now: number): Judgement {
  if (former.state === "pending") return { alert: former, change: "dropped" };
  return {
    alert: { ...former, state: "resolved", resolvedAt: now, resolvedReason },
    change: "resolved",
  };
}

/** What must outlive a restart is written; a value that moves every few seconds is not worth a write. */
function told(alert: Alert, former: Alert): Judgement {
  const isSame =
    alert.since === former.since &&
    alert.quietSince === former.quietSince &&
    alert.unknownSince === former.unknownSince &&
    alert.breaching === former.breaching &&
    alert.severity === former.severity;
  return { alert, change: isSame ? "unchanged" : "updated" };
}

function withFigures(rule: AlertRule, reading: Reading, former: Alert): Alert {
  const isSame =
    former.breaching === reading.breaching &&
    former.members === reading.known &&
    former.value === reading.worst &&
    former.severity === rule.severity;
  if (isSame) return former;
  return {
    ...former,
    severity: rule.severity,
    breaching: reading.breaching,
    members: reading.known,
    value: reading.worst,
    examples: reading.examples,
    summary: sentenceOf(rule.summary, rule, reading),
    remedy: sentenceOf(rule.remedy, rule, reading),
  };
}
