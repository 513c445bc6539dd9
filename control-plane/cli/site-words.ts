import { printWindow } from "@muster/shared/time/weekly-window";
import type { FreezeResource } from "../api/schemas/freezes.ts";
import type { SiteResource } from "../api/schemas/targeting.ts";
import { labelsText } from "./device-words.ts";
import { freezesAt } from "./hold-words.ts";
import { printable, type Style } from "./terminal.ts";

/** The site in lines for people; what comes from the sites above is marked. */
export function describeSite(
  { site, devices, revoked, liveness, settings, effective }: SiteResource,
  freezes: readonly FreezeResource[],
  now: number,
  paint: (style: Style, text: string) => string,
): string {
  const from = (own: unknown, stated: boolean) =>
    own !== null ? "" : stated ? " (inherited)" : " (nobody stated it)";
  const { timeZone, uplinkKbps, windows } = effective;
  const inherited = Object.entries(effective.labels).filter(([key]) => !Object.hasOwn(settings.labels, key));
  const rows: [string, string][] = [
    [
      "devices",
      devices + revoked === 0
        ? "none is at this site or below it yet"
        : `${devices}: ${liveness.online} online, ${liveness.late} late, ${liveness.offline} offline, ${liveness.flapping} flapping${revoked > 0 ? `; ${revoked} revoked` : ""}`,
    ],
    ["labels", labelsText(settings.labels)],
    ["inherits", labelsText(Object.fromEntries(inherited))],
    ["time zone", `${timeZone}${from(settings.timeZone, timeZone !== "UTC")}`],
    [
      "uplink",
      uplinkKbps === null
        ? "no limit (nobody stated it)"
        : `${uplinkKbps} kbit/s${from(settings.uplinkKbps, true)}`,
    ],
    [
      "windows",
      windows.length === 0
        ? `any time${settings.windows === null ? " (nobody stated one)" : ""}`
        : `${windows.map(printWindow).join("; ")}${from(settings.windows, true)}`,
    ],
    ...freezesAt(freezes, site, now).map((freeze): [string, string] => ["freeze", freeze]),
  ];
  return [
    paint("bold", printable(site)),
    ...rows.map(([name, value]) => `  ${name.padEnd(12)}${printable(value)}`),
  ].join("\n");
}
