import type { Command } from "commander";
import type { FleetResource } from "../../api/schemas/fleet.ts";
import type { StatusResource } from "../../api/schemas/status.ts";
import type { Cli } from "../cli.ts";
import { releaseName } from "../names.ts";
import { duration } from "../words.ts";

/** `muster status`: the control plane and its fleet at a glance. */
export function statusCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "status",
      summary: "the control plane and its fleet at a glance",
      examples: [
        ["muster status", "addresses, trust, liveness, releases"],
        ["muster status --json | jq .fleet.liveness.offline", "one figure for a script"],
      ],
    },
    (command) => command,
    async () => {
      const client = await cli.client();
      const [status, fleet] = await Promise.all([
        client.get<StatusResource>("/status"),
        client.get<FleetResource>("/fleet"),
      ]);
      cli.output.data({ status, fleet }, () => {
        const { online, late, offline, flapping } = fleet.liveness;
        const releases = fleet.releases.map(
          ({ release, devices }) => `  ${String(devices).padStart(6)}  ${releaseName(release)}`,
        );
        return [
          `Muster ${status.version} at ${client.url.origin}, up ${duration(status.now - status.startedAt)}, you are ${status.operator.name}`,
          `Devices reach it at ${status.deviceUrl} and ${status.mqttUrl}`,
          status.trust.initialized
            ? `Trust root version ${status.trust.rootVersion}, targets version ${status.trust.targetsVersion ?? "none"}`
            : "No trust root yet: run `muster keys init` and `muster trust init`",
          `${fleet.active} ${fleet.active === 1 ? "device" : "devices"}: ${online} online, ${late} late, ${offline} offline, ${flapping} flapping; ${fleet.revoked} revoked`,
          ...(releases.length > 0 ? ["Running:", ...releases] : []),
          `${fleet.storedResults} results stored`,
        ].join("\n");
      });
    },
  );
}
