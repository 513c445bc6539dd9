import { MusterError } from "@muster/shared/errors";
import { type PowerWindow, WINDOW_KINDS } from "@muster/shared/protocol/power-policy";
import { parseWindow, printWindow } from "@muster/shared/time/weekly-window";
import type { DevicePolicyResource, EnergyReportResource, PolicyResource } from "../api/schemas/energy.ts";

/**
 * A window from its text: its kind, then times as everywhere, e.g. `cheap 22:00-05:00` or `green sat,sun 10:00-16:00`.
 * @throws MusterError `window.invalid`
 */
export function parsePowerWindow(text: string): PowerWindow {
  const [first = "", ...rest] = text.trim().split(/\s+/);
  const kind = WINDOW_KINDS.find((each) => each === first.toLowerCase());
  if (!kind)
    throw new MusterError(
      "window.invalid",
      `"${text.slice(0, 60)}" begins with no kind: write "cheap 22:00-05:00".`,
    );
  return { ...parseWindow(rest.join(" ")), kind };
}

const printPowerWindow = ({ kind, ...window }: PowerWindow): string => `${kind} ${printWindow(window)}`;

/** What is decided, in one line. */
export function policyText({
  windows,
  bestEffortOutside,
}: Pick<PolicyResource | DevicePolicyResource, "windows" | "bestEffortOutside">): string {
  if (bestEffortOutside === "run") return "best effort runs at any time";
  return windows.length === 0
    ? "best effort waits for as long as this holds"
    : `best effort waits for ${windows.map(printPowerWindow).join("; ")}`;
}

const known = (value: number | null, digits: number, unit = ""): string =>
  value === null ? "unknown" : `${Number(value.toPrecision(digits))}${unit}`;

export type UsageRow = EnergyReportResource["rows"][number];

/** Columns of a report. @param currency null where nobody told a price */
export const usageColumns = (title: string, currency: string | null) => [
  { title, value: (row: UsageRow) => row.name },
  { title: "INFERENCES", value: (row: UsageRow) => row.inferences, right: true },
  { title: "ENERGY", value: (row: UsageRow) => known(row.energyWh, 4, " Wh"), right: true },
  { title: "KNOWN", value: (row: UsageRow) => known(row.knownPercent, 3, " %"), right: true },
  { title: "MODELLED", value: (row: UsageRow) => known(row.modelledPercent, 3, " %"), right: true },
  { title: `${currency ?? "COST"}/1000`, value: (row: UsageRow) => known(row.per1000.cost, 3), right: true },
  { title: "CO2/1000", value: (row: UsageRow) => known(row.per1000.gramsCo2, 3, " g"), right: true },
  { title: "WH/1000", value: (row: UsageRow) => known(row.per1000.wh, 3), right: true },
  { title: "CPU/1000", value: (row: UsageRow) => known(row.per1000.cpuSeconds, 3, " s"), right: true },
];
