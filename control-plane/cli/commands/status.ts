import type { Command } from "commander";
import type { FleetResource } from "../../api/schemas/fleet.ts";
import type { HealthResource } from "../../api/schemas/health.ts";
import type { StatusResource } from "../../api/schemas/status.ts";
import type { Cli } from "../cli.ts";
import { figureLines, wrongLines } from "../health-words.ts";
import { releaseName } from "../names.ts";
import { duration } from "../words.ts";

/** Sites and devices on the screen: the rest is `muster health`. */
const MOST = 5;

/** `muster status`: the control plane and its fleet on one screen, what is wrong first. */
export function statusCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "status",
      summary: "the fleet and its control plane on one screen, what is wrong first",
      examples: [
        ["muster status", "what is wrong, health, releases, addresses, trust"],
        ["muster status --json | jq .fleet.liveness.offline", "one figure for a script"],
      ],
    },
    (command) => command,
    async () => {
      const client = await cli.client();
      const [status, fleet, health] = await Promise.all([
        client.get<StatusResource>("/status"),
        client.get<FleetResource>("/fleet"),
        client.get<HealthResource>("/health"),
      ]);
      cli.output.data({ status, fleet, health }, () => {
        const { online, late, offline, flapping } = fleet.liveness;
        const releases = fleet.releases.map(
          ({ release, devices }) => `  ${String(devices).padStart(6)}  ${releaseName(release)}`,
        );
        return [
          ...wrongLines(health, MOST, cli.output.width, cli.output.paint),
          `${fleet.active} ${fleet.active === 1 ? "device" : "devices"}: ${online} online, ${late} late, ${offline} offline, ${flapping} flapping; ${fleet.revoked} revoked`,
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
