import type { PowerHealth } from "@muster/shared/protocol/messages";
import type {
  DeviceHealthLine,
  DeviceHealthResource,
  FiguresResource,
  HealthResource,
  SiteHealthLine,
} from "../api/schemas/health.ts";
import { table } from "./table.ts";
import { printable, type Style } from "./terminal.ts";
import { ago, duration } from "./words.ts";

type Paint = (style: Style, text: string) => string;

/** Reason codes as people say them of many devices. */
const LACKS: Readonly<Record<DeviceHealthLine["reasons"][number]["code"], string>> = {
  offline: "offline",
  late: "late",
  flapping: "flapping",
  "runner-failed": "cannot serve",
  "not-serving": "not serving",
  crashes: "with crashes",
  "error-rate": "with failed inferences",
  fallback: "on a fallback provider",
  "sync-failures": "hard to reach",
  "low-disk": "low on disk",
  "low-memory": "low on memory",
  temperature: "hot",
  outbox: "with results piling up",
  "lost-records": "that lost results",
  "clock-skew": "with a wrong clock",
  certificate: "with an ending certificate",
  "update-failed": "with a failed update",
};

const percent = (share: number | null): string =>
  share === null
    ? "unknown"
    : `${share === 100 || share === 0 ? share : share.toFixed(share > 99 ? 2 : 1)} %`;
const hours = (value: number): string =>
  value < 2
    ? `${Math.round(value * 60)} min`
    : `${value < 100 ? Number(value.toFixed(1)) : Math.round(value)} h`;
const millis = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** What devices lack, in one line; the heaviest first. */
const lacksText = (reasons: readonly HealthResource["reasons"][number][]): string =>
  reasons.map(({ code, devices }) => `${devices} ${LACKS[code]}`).join(", ");

/** Why a device lost its points, in one line. */
const reasonText = ({ reasons }: Pick<DeviceHealthLine, "reasons">): string =>
  reasons.length === 0
    ? "nothing is wrong"
    : `${reasons[0]!.sentence}${reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : ""}`;

/** Memfault's vocabulary and what inference did, in three lines. */
export function figureLines(figures: FiguresResource): string[] {
  const { latencyMs, inferences } = figures;
  return [
    `crash-free ${percent(figures.crashFreeServingPercent)} of ${hours(figures.servingHours)} of inference, ${percent(figures.crashFreeOperationalPercent)} of ${hours(figures.operationalHours)} of operation, ${figures.crashes} ${figures.crashes === 1 ? "crash" : "crashes"}`,
    `connected ${percent(figures.connectedPercent)} of the time, sync success ${percent(figures.syncSuccessPercent)}`,
    inferences === 0
      ? "no inference"
      : `${inferences} inferences, ${percent(figures.errorPercent)} failed, ${percent(figures.fallbackPercent)} on a fallback provider, ${percent(figures.degradedPercent)} degraded${latencyMs ? `, p50 ${millis(latencyMs.p50)}, p95 ${millis(latencyMs.p95)}, p99 ${millis(latencyMs.p99)}` : ""}`,
  ];
}

const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, "  ");

export const siteTable = (sites: readonly SiteHealthLine[], width: number | undefined): string =>
  table(
    [
      { title: "SITE", value: (row) => row.site },
      { title: "SCORE", value: (row) => row.score ?? "", right: true },
      { title: "DEVICES", value: (row) => row.devices, right: true },
      { title: "LACKS", value: (row) => lacksText(row.reasons) || "nothing" },
    ],
    sites,
    width,
  );

const deviceTable = (devices: readonly DeviceHealthLine[], width: number | undefined): string =>
  table(
    [
      { title: "DEVICE", value: (row) => row.name },
      { title: "SITE", value: (row) => row.site },
      { title: "SCORE", value: (row) => row.score, right: true },
      { title: "WHY", value: reasonText },
    ],
    devices,
    width,
  );

/** What is wrong, the worst first; one line where nothing is. */
export function wrongLines(
  report: HealthResource,
  most: number,
  width: number | undefined,
  paint: Paint,
): string[] {
  const { devices, score, scores, reasons, worstSites, worstDevices } = report;
  if (devices === 0) return ["No device is there to be well or not."];
  if (reasons.length === 0)
    return [paint("green", `${devices === 1 ? "The device is" : `All ${devices} devices are`} well.`)];
  const room = width === undefined ? undefined : width - 2;
  return [
    paint(
      scores.bad + scores.poor > 0 ? "red" : "yellow",
      `Health score ${score}: of ${devices} ${devices === 1 ? "device" : "devices"} ${lacksText(reasons)}.`,
    ),
    indented(siteTable(worstSites.slice(0, most), room)),
    indented(deviceTable(worstDevices.slice(0, most), room)),
  ];
}

/** A report in lines for people. */
export function describeHealth(report: HealthResource, width: number | undefined, paint: Paint): string {
  const { online, late, offline, flapping } = report.liveness;
  const { good, fair, poor, bad } = report.scores;
  return [
    ...wrongLines(report, 10, width, paint),
    `${report.devices} ${report.devices === 1 ? "device" : "devices"}: ${online} online, ${late} late, ${offline} offline, ${flapping} flapping`,
    `Scores: ${good} of 90 and more, ${fair} of 70 to 89, ${poor} of 40 to 69, ${bad} below 40`,
    "Last 24 hours:",
    ...figureLines(report.day).map(indented),
    "Last 10 minutes:",
    ...figureLines(report.now).map(indented),
  ].join("\n");
}

const powerText = ({ heat, draw, watts, energy }: PowerHealth): string =>
  `heat ${heat}, draw ${draw}${watts === null ? "" : ` (${watts.toFixed(1)} W)`}, energy ${energy ?? "unknown"}`;

/** The health of one device in lines for people. */
export function describeDeviceHealth(device: DeviceHealthResource, now: number, paint: Paint): string {
  const { vitals, window, clockSkewMs } = device;
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  const rows: [string, string][] = [
    ["score", `${device.score} of 100`],
    ...device.reasons.map(({ points, sentence }): [string, string] => [`-${points}`, sentence]),
    ["site", device.site],
    ["class", device.hardwareClass],
    ["state", device.liveness],
    ["heartbeat", ago(device.at, now)],
    ...(clockSkewMs === null
      ? []
      : [
          ["clock", `${duration(Math.abs(clockSkewMs))} ${clockSkewMs < 0 ? "behind" : "ahead"}`] as [
            string,
            string,
          ],
        ]),
    ...(vitals
      ? ([
          [
            "memory",
            `${vitals.freeMemoryMiB} MiB free, agent ${mib(vitals.agentRss)}, runner ${mib(vitals.runnerRss)}`,
          ],
          ["disk", `${vitals.freeDiskMiB} MiB free`],
          ["load", `${vitals.loadPerCore.toFixed(2)} per core`],
          [
            "temperature",
            vitals.temperatureC === null ? "no sensor" : `${Math.round(vitals.temperatureC)} °C`,
          ],
          ...(vitals.power ? [["power", powerText(vitals.power)]] : []),
          ["outbox", mib(vitals.outboxBytes)],
        ] as [string, string][])
      : []),
    [
      "10 minutes",
      `${window.crashes} crashes, ${window.inferences} inferences, ${window.failures} failed, ${window.fallbacks} on a fallback provider, ${window.degraded} degraded, ${window.refused} refused${window.p95Ms === null ? "" : `, p95 ${millis(window.p95Ms)}`}`,
    ],
    ...figureLines(device.day).map((line, index): [string, string] => [index === 0 ? "24 hours" : "", line]),
  ];
  return [
    paint("bold", printable(device.name)),
    ...rows.map(([name, value]) => `  ${name.padEnd(12)}${printable(value)}`),
  ].join("\n");
}
