import { matches, parseSelector } from "../fleet/selector.ts";
import type { Alert } from "./alert.ts";
import { alertSubject } from "./alert-subject.ts";
import type { Receiver } from "./receiver.ts";
import { SEVERITIES } from "./rule.ts";
import type { AlertPlaces } from "./signal-source.ts";

/** What one receiver was told of one group. */
export interface ToldGroup {
  receiver: string;
  group: string;
  lastSentAt: number;
  /** Alerts that it knows as firing: each of them is told as resolved once. */
  told: ReadonlySet<string>;
}

/** A notification to be made. */
export interface Outgoing {
  receiver: Receiver;
  group: string;
  reason: "changed" | "repeat";
  firing: Alert[];
  resolved: Alert[];
  /** What the receiver knows as firing once this is delivered. */
  told: string[];
}

export interface NotifyInput {
  receiver: Receiver;
  /** Alerts that fire, without those that are muted. */
  audible: readonly Alert[];
  /** Ids of all alerts that fire, muted or not. */
  firing: ReadonlySet<string>;
  /** An alert that has ended, by its id. */
  endedAlert(id: string): Alert | undefined;
  /** What this receiver was told. */
  records: Iterable<ToldGroup>;
  /** Whether a notification of the group waits for delivery: what happens meanwhile is told after it. */
  isWaiting(group: string): boolean;
  /** How many more notifications may wait for this receiver. */
  room: number;
  places: AlertPlaces;
  now: number;
}

export interface NotifyPlan {
  send: Outgoing[];
  /** Groups with nothing left to tell. */
  forget: ToldGroup[];
}

/** The group of an alert at a receiver. */
function groupOf({ groupBy }: Pick<Receiver, "groupBy">, alert: Alert): string {
  if (groupBy === "rule") return alert.rule;
  return groupBy === "site" ? (alert.place.site ?? "") : alert.id;
}

/**
 * What is told now. A group is told first when its oldest news is `groupWait` old, of changes not before
 * `groupInterval` after its last notification, and unchanged again every `repeat`. It is level-triggered: what
 * cannot be told now is told later as it is then, so a receiver that is down costs one waiting notification for
 * each group, and nothing has to be dropped.
 */
export function planNotifications(input: NotifyInput): NotifyPlan {
  const { receiver } = input;
  const plan: NotifyPlan = { send: [], forget: [] };
  if (!receiver.enabled) return plan;
  const groups = groupsOf(input);
  const records = new Map<string, ToldGroup>();
  for (const record of input.records) {
    records.set(record.group, record);
    if (!groups.has(record.group)) groups.set(record.group, []);
  }
  for (const [group, firing] of groups) {
    const record = records.get(group);
    if (input.isWaiting(group)) continue;
    const outgoing = plan.send.length < input.room ? planGroup(input, group, firing, record) : undefined;
    if (outgoing) plan.send.push(outgoing);
    else if (record && isOver(record, input)) plan.forget.push(record);
  }
  return plan;
}

function planGroup(
  { receiver, firing: firingIds, endedAlert, now }: NotifyInput,
  group: string,
  firing: Alert[],
  record: ToldGroup | undefined,
): Outgoing | undefined {
  const { groupWaitSeconds, groupIntervalSeconds, repeatSeconds, sendResolved } = receiver;
  const told = record?.told ?? new Set<string>();
  const over = [...told].filter((id) => !firingIds.has(id));
  const resolved = sendResolved ? over.map(endedAlert).filter((alert) => alert !== undefined) : [];
  const since = record ? now - record.lastSentAt : Number.POSITIVE_INFINITY;
  // A clock that was set back must not silence a group.
  const after = (seconds: number) => since < 0 || since >= seconds * 1000;

  const news = firing.filter(({ id }) => !told.has(id));
  const oldest = news.reduce((least, { firedAt }) => Math.min(least, firedAt ?? now), now);
  const isRipe = news.length > 0 && now - oldest >= groupWaitSeconds * 1000;
  const changed = (isRipe || resolved.length > 0) && after(groupIntervalSeconds);
  const repeated = firing.length > news.length && after(Math.max(repeatSeconds, groupIntervalSeconds));
  if (!changed && !repeated) return undefined;

  const stillTold = [...told].filter((id) => firingIds.has(id));
  return {
    receiver,
    group,
    reason: changed ? "changed" : "repeat",
    firing,
    resolved,
    told: [...new Set([...stillTold, ...firing.map(({ id }) => id)])],
  };
}

/** Nothing is known as firing, and the interval in which the group had to rest is over. */
function isOver({ told, lastSentAt }: ToldGroup, input: NotifyInput): boolean {
  const { receiver } = input;
  const rested = Math.abs(input.now - lastSentAt) >= receiver.groupIntervalSeconds * 1000;
  const isOpen = (id: string) =>
    input.firing.has(id) || (receiver.sendResolved && input.endedAlert(id) !== undefined);
  return rested && ![...told].some(isOpen);
}

function groupsOf({ receiver, audible, places }: NotifyInput): Map<string, Alert[]> {
  const selector = parseSelector(receiver.selector);
  const least = SEVERITIES.indexOf(receiver.minSeverity);
  const groups = new Map<string, Alert[]>();
  for (const alert of audible) {
    if (SEVERITIES.indexOf(alert.severity) < least) continue;
    if (selector.length > 0 && !matches(selector, alertSubject(alert, places))) continue;
    const key = groupOf(receiver, alert);
    const group = groups.get(key);
    if (group) group.push(alert);
    else groups.set(key, [alert]);
  }
  return groups;
}
