import type { AlertResource, AlertRuleResource } from "../api/schemas/alerts.ts";
import type { Column } from "./table.ts";
import { printable } from "./terminal.ts";
import { ago, duration } from "./words.ts";

const withUnit = (value: number, unit: string): string =>
  `${Math.round(value * 10) / 10}${unit === "" || unit === "0 or 1" ? "" : ` ${unit}`}`;

const stateOf = ({ state, muted, resolvedReason }: AlertResource): string => {
  if (muted !== null) return `muted by ${muted.by}`;
  return state === "resolved" && resolvedReason !== "recovered" ? `ended: ${resolvedReason}` : state;
};

export const alertCells = (now: number): Column<AlertResource>[] => [
  { title: "ID", value: ({ id }) => id },
  { title: "SEVERITY", value: ({ severity }) => severity },
  { title: "STATE", value: stateOf },
  { title: "SINCE", value: ({ since, firedAt }) => ago(firedAt ?? since, now) },
  { title: "RULE", value: ({ rule }) => rule },
  { title: "WHAT", value: ({ summary }) => summary },
];

/** One alert on a few lines. */
export function alertPage(alert: AlertResource, now: number): string {
  const { breaching, members, examples, firedAt, resolvedAt, muted, unknownSince, quietSince } = alert;
  const lines = [
    `${alert.severity.toUpperCase()}  ${alert.summary}`,
    `  do:       ${alert.remedy}`,
    `  state:    ${stateOf(alert)}`,
    `  holds:    since ${ago(alert.since, now)}${firedAt === null ? "" : `, fires since ${ago(firedAt, now)}`}`,
    `  rule:     ${alert.rule}`,
    `  signal:   ${alert.signal} is ${withUnit(alert.value, alert.unit)}, on ${breaching} of ${members}`,
  ];
  if (muted !== null) lines.push(`  muted:    ${muted.sentence}`);
  if (examples.length > 1) lines.push(`  among:    ${examples.join(", ")}`);
  if (alert.place.device !== null) lines.push(`  device:   ${alert.place.device}`);
  if (resolvedAt !== null && firedAt !== null)
    lines.push(`  ended:    ${ago(resolvedAt, now)} after ${duration(resolvedAt - firedAt)}`);
  else if (unknownSince !== null)
    lines.push(`  unknown:  nothing is heard of the signal since ${ago(unknownSince, now)}`);
  else if (quietSince !== null) lines.push(`  calm:     the condition is over since ${ago(quietSince, now)}`);
  return lines.map(printable).join("\n");
}

/** The condition of a rule as people say it. */
function conditionOf({ signal, above, below, unit, minDevices, minPercent }: AlertRuleResource): string {
  const limit = above !== null ? `> ${withUnit(above, unit)}` : `< ${withUnit(below ?? 0, unit)}`;
  const share = [
    ...(minPercent > 0 ? [`${minPercent} %`] : []),
    ...(minDevices > 1 ? [`${minDevices} devices`] : []),
  ];
  return `${signal} ${limit}${share.length > 0 ? ` on ${share.join(" and ")}` : ""}`;
}

const originOf = ({ enabled, builtIn, changed }: AlertRuleResource): string => {
  if (!enabled) return "off";
  return builtIn ? (changed === null ? "built-in" : "changed") : "own";
};

export const ruleCells: Column<AlertRuleResource>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "SEVERITY", value: ({ severity }) => severity },
  { title: "BY", value: ({ groupBy }) => groupBy },
  { title: "WHEN", value: conditionOf },
  { title: "FOR", value: ({ forSeconds }) => duration(forSeconds * 1000), right: true },
  { title: "KEEPS", value: ({ keepFiringSeconds }) => duration(keepFiringSeconds * 1000), right: true },
  { title: "IS", value: originOf },
];
