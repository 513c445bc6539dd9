import type { Command } from "commander";
import type { AlertList } from "../../api/schemas/alerts.ts";
import type { FleetResource } from "../../api/schemas/fleet.ts";
import type { FreezeList } from "../../api/schemas/freezes.ts";
import type { HealthResource } from "../../api/schemas/health.ts";
import type { RolloutList, RolloutResource } from "../../api/schemas/rollouts.ts";
import type { StatusResource } from "../../api/schemas/status.ts";
import type { Cli } from "../cli.ts";
import { figureLines, wrongLines } from "../health-words.ts";
import { heldText } from "../hold-words.ts";
import { releaseName } from "../names.ts";
import type { Output } from "../output.ts";
import { countsText } from "../rollout-words.ts";
import { printable } from "../terminal.ts";
import { ago, duration } from "../words.ts";

/** Alerts, sites, devices and rollouts on the screen: the rest is in their own commands. */
const MOST = 5;

const ENDED: ReadonlySet<RolloutList["rollouts"][number]["state"]> = new Set([
  "completed",
  "aborted",
  "reverted",
]);

const more = (count: number, command: string): string[] =>
  count > MOST ? [`  and ${count - MOST} more: ${command}`] : [];

function alertLines(alerts: AlertList["alerts"], { paint }: Output): string[] {
  return [
    ...alerts
      .slice(0, MOST)
      .map(({ severity, summary, id }) =>
        paint(
          severity === "critical" ? "red" : "yellow",
          printable(`${severity.toUpperCase()} ${summary} (${id})`),
        ),
      ),
    ...more(alerts.length, "muster alert list"),
  ];
}

function underWayLines(rollouts: readonly RolloutResource[], { paint }: Output): string[] {
  if (rollouts.length === 0) return [];
  return [
    "Rollouts that have not ended:",
    ...rollouts
      .slice(0, MOST)
      .flatMap(({ id, release, state, wave, waves, counts, held, reason }) => [
        printable(
          `  ${id}  ${releaseName(release)} ${state}${wave === null ? "" : `, wave ${wave} of ${waves}: ${countsText(counts)}`}`,
        ),
        ...(reason === null ? [] : [paint("yellow", printable(`    ${reason}`))]),
        ...(heldText(held) === "" ? [] : [`    not told just now: ${heldText(held)}`]),
      ]),
    ...(rollouts.length === MOST ? ["  all of them: muster rollout list"] : []),
  ];
}

function freezeLines(freezes: FreezeList["freezes"], now: number): string[] {
  const active = freezes.filter(({ state }) => state === "active");
  return [
    ...active
      .slice(0, MOST)
      .map(({ id, site, createdBy, to, reason }) =>
        printable(
          `Nothing new is told ${site === null ? "anywhere" : `at ${site}`}: freeze ${id} by ${createdBy}, ends ${ago(to, now)}: ${reason}`,
        ),
      ),
    ...more(active.length, "muster freeze list"),
  ];
}

/** `muster status`: the control plane and its fleet on one screen, what is wrong first. */
export function statusCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "status",
      summary: "the fleet and its control plane on one screen, what is wrong first",
      examples: [
        ["muster status", "what is wrong, what is under way and what holds it, health, releases"],
        ["muster status --json | jq .fleet.liveness.offline", "one figure for a script"],
      ],
    },
    (command) => command,
    async () => {
      const client = await cli.client();
      const [status, fleet, health, { alerts }, { rollouts }, { freezes }] = await Promise.all([
        client.get<StatusResource>("/status"),
        client.get<FleetResource>("/fleet"),
        client.get<HealthResource>("/health"),
        client.get<AlertList>("/alerts", { state: "firing", muted: false }),
        client.get<RolloutList>("/rollouts", { limit: 50 }),
        client.get<FreezeList>("/freezes", { past: 0 }),
      ]);
      const open = await Promise.all(
        rollouts
          .filter(({ state }) => !ENDED.has(state))
          .slice(0, MOST)
          .map(({ id }) => client.get<RolloutResource>(`/rollouts/${encodeURIComponent(id)}`)),
      );
      cli.output.data({ status, fleet, health, alerts, rollouts: open, freezes }, () => {
        const { online, late, offline, flapping } = fleet.liveness;
        const releases = fleet.releases.map(
          ({ release, devices }) => `  ${String(devices).padStart(6)}  ${releaseName(release)}`,
        );
        return [
          ...alertLines(alerts, cli.output),
          ...wrongLines(health, MOST, cli.output.width, cli.output.paint),
          ...underWayLines(open, cli.output),
          ...freezeLines(freezes, cli.terminal.now()),
          `${fleet.active} ${fleet.active === 1 ? "device" : "devices"}: ${online} online, ${late} late, ${offline} offline, ${flapping} flapping; ${fleet.withheld > 0 ? `${fleet.withheld} withheld, ` : ""}${fleet.revoked} revoked`,
          ...(health.day.heartbeats > 0
            ? ["Last 24 hours:", ...figureLines(health.day).map((line) => `  ${line}`)]
            : []),
          ...(releases.length > 0 ? ["Running:", ...releases] : []),
          `${fleet.storedResults} results stored`,
          `Muster ${status.version} at ${client.url.origin}, up ${duration(status.now - status.startedAt)}, you are ${status.operator.name}`,
          `Devices reach it at ${status.deviceUrl} and ${status.mqttUrl}`,
          status.trust.initialized
            ? `Trust root version ${status.trust.rootVersion}, targets version ${status.trust.targetsVersion ?? "none"}`
            : "No trust root yet: run `muster keys init` and `muster trust init`",
        ].join("\n");
      });
    },
  );
}
