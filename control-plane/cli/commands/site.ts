import type { Command } from "commander";
import type { SiteList } from "../../api/schemas/fleet.ts";
import type { Cli } from "../cli.ts";

/** `muster site ...` */
export function siteCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "site", "places with devices");
  cli.leaf(
    group,
    {
      name: "list",
      summary: "list sites; figures include the sites below",
      examples: [["muster site list", "where the devices are, and how many are there now"]],
    },
    (command) => command,
    async () => {
      const { sites } = await (await cli.client()).get<SiteList>("/sites");
      cli.output.list(
        sites,
        [
          { title: "SITE", value: (row) => row.site },
          { title: "DEVICES", value: (row) => row.devices, right: true },
          { title: "ONLINE", value: (row) => row.liveness.online, right: true },
          { title: "LATE", value: (row) => row.liveness.late, right: true },
          { title: "OFFLINE", value: (row) => row.liveness.offline, right: true },
          { title: "FLAPPING", value: (row) => row.liveness.flapping, right: true },
          { title: "REVOKED", value: (row) => row.revoked, right: true },
        ],
        sites,
        "There is no site yet: sites come with the devices that enroll there.",
      );
    },
  );
}
