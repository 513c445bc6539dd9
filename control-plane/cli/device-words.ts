import type { ChoiceReport, Measured } from "@muster/shared/protocol/choice";
import type { DeviceResource, DeviceSummaryResource, Timeline } from "../api/schemas/fleet.ts";
import { failureText, releaseName } from "./names.ts";
import { printable, type Style } from "./terminal.ts";
import { ago, timestamp } from "./words.ts";

/** Whether the device is there; a revoked one is not waited for. */
export const liveness = (device: DeviceSummaryResource): string =>
  device.status === "revoked" ? "revoked" : `${device.liveness}${device.trust.withheld ? ", withheld" : ""}`;

/** What the device is at, or how its last update ended. */
export function deviceDoing({ update, lastResult }: DeviceSummaryResource): string {
  if (update) return `${update.phase} ${releaseName(update.release)}`;
  if (!lastResult || lastResult.outcome === "succeeded") return "";
  return `${lastResult.outcome}${lastResult.failure ? ` (${lastResult.failure.code})` : ""}`;
}

/** One entry of a timeline in one line. */
export function timelineLine(entry: Timeline["entries"][number]): string {
  const text =
    entry.kind === "update"
      ? [
          `update ${entry.generation} to ${releaseName(entry.release)}: ${entry.outcome ?? entry.phase}`,
          failureText(entry.failure),
        ]
          .filter(Boolean)
          .join(", ")
      : `${entry.withheld ? "(withheld) " : ""}${entry.code}: ${entry.message}`;
  return `${timestamp(entry.at)}  ${printable(text)}`;
}

/** Labels in one line. */
export const labelsText = (labels: DeviceResource["labels"]): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ") || "none";

const measuredText = ({ p50Ms, p95Ms, cpuMs, agreement, memoryMiB, placement }: Measured): string =>
  [
    `median ${p50Ms} ms`,
    `p95 ${p95Ms} ms`,
    `${cpuMs} ms of processor time`,
    `agreement ${Math.round(agreement * 10_000) / 100} %`,
    `${memoryMiB} MiB`,
    ...(placement === null ? [] : [`${Math.round(placement * 100)} % of the nodes on the provider`]),
  ].join(", ");

/** Why the device runs this variant, and why not the others; a line each. */
function choiceLines(choice: ChoiceReport | undefined): string[] {
  if (!choice) return [];
  const { objective, measured, losers } = choice;
  return [
    `by ${objective.prefer}: ${measuredText(measured)}`,
    ...losers.map(({ variant, provider, reason }) => `not ${variant} on ${provider}: ${printable(reason)}`),
  ];
}

/** Who it is, and what became of it. */
function identityRows(
  { identity, quarantined, decommissionedAt }: DeviceResource,
  now: number,
): [string, string][] {
  const row = (name: string, value: string | null): [string, string][] =>
    value === null ? [] : [[name, value]];
  return [
    ...row("identity", identity.reason),
    ...row("TPM", identity.ekName && `endorsement key ${identity.ekName.slice(4, 20)}…`),
    ...row("replaces", identity.replaces),
    ...row("replaced by", identity.replacedBy),
    ...row("quarantine", quarantined && `${ago(quarantined.at, now)}: ${quarantined.reason}`),
    ...row("wiped", decommissionedAt === null ? null : ago(decommissionedAt, now)),
  ];
}

/** The device in lines for people; `rollouts` has a line for each rollout that it is in. */
export function describeDevice(
  device: DeviceResource,
  rollouts: readonly string[],
  now: number,
  paint: (style: Style, text: string) => string,
): string {
  const { hardware, directive, lastResult, reported } = device;
  const rows: [string, string][] = [
    ["id", device.id],
    ["site", device.site],
    ["labels", labelsText(device.labels)],
    ["inherits", labelsText(device.inheritedLabels)],
    ["groups", device.groups.join(" ") || "none"],
    [
      "state",
      `${liveness(device)}, seen ${ago(device.lastSeenAt, now)}, ${device.connected ? "connected" : "not connected"}`,
    ],
    ["trust", `${device.trust.assurance}, verdict ${device.trust.verdict}`],
    ...(device.verdictSentence === null ? [] : [["", device.verdictSentence] as [string, string]]),
    ...(device.withheldBecause === null || device.withheldBecause === device.verdictSentence
      ? []
      : [["withheld", device.withheldBecause] as [string, string]]),
    ["runs", releaseName(device.running)],
    [
      "told",
      directive ? `${releaseName(directive.release)} (generation ${directive.generation})` : "nothing yet",
    ],
    ["doing", deviceDoing(device) || "nothing"],
    ...rollouts.map((line, index): [string, string] => [index === 0 ? "rollouts" : "", line]),
    ["runner", reported?.runner ?? "unknown"],
    ...(reported?.components ?? []).flatMap((component): [string, string][] => [
      [
        component.type,
        `${component.name} ${component.version}${component.variant ? ` ${component.variant} on ${component.provider}` : ""} ${component.digest.slice(0, 19)}…`,
      ],
      ...(component.degraded
        ? [
            [
              "in place of",
              `its first choice (${component.degraded.step}): ${component.degraded.reason}`,
            ] as [string, string],
          ]
        : []),
      ...choiceLines(component.choice).map((line, index): [string, string] => [
        index === 0 ? "chosen" : "",
        line,
      ]),
    ]),
    ...(lastResult
      ? [["ended", `${lastResult.outcome} ${ago(lastResult.at, now)}`] as [string, string]]
      : []),
    ...(lastResult?.failure ? [["failure", failureText(lastResult.failure)] as [string, string]] : []),
    ...(reported?.refused ? [["refused", failureText(reported.refused.failure)] as [string, string]] : []),
    [
      "hardware",
      `${hardware.cpuModel}, ${hardware.cores} cores, ${hardware.memoryMiB} MiB, ${device.hardwareClass}`,
    ],
    ["agent", device.agentVersion ?? "unknown"],
    ["enrolled", ago(device.enrolledAt, now)],
    ...identityRows(device, now),
    ["certificate", `ends ${ago(device.certificate.expiresAt, now)}`],
    [
      "results",
      `${device.storedResults} stored${device.withheldResults > 0 ? `, ${device.withheldResults} of them while it did not pass attestation` : ""}`,
    ],
    ...(device.revoked
      ? [["revoked", `${ago(device.revoked.at, now)}: ${device.revoked.reason}`] as [string, string]]
      : []),
  ];
  return [
    paint("bold", printable(device.name)),
    ...rows.map(([name, value]) => `  ${name.padEnd(12)}${printable(value)}`),
  ].join("\n");
}
