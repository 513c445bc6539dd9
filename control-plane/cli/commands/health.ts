import type { Command } from "commander";
import type { DeviceHealthResource, HealthResource, SiteHealthList } from "../../api/schemas/health.ts";
import type { Cli } from "../cli.ts";
import { describeDeviceHealth, describeHealth, siteTable } from "../health-words.ts";

/** `muster health ...` */
export function healthCommands(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "health",
      summary: "how the fleet or a part of it fares, what is wrong first",
      examples: [
        ["muster health", "the whole fleet"],
        ["muster health --site eu/berlin", "a site and everything below it"],
        ["muster health --release vision@1.4.0", "devices that run a release"],
        ["muster health device press-7", "one device, with every reason"],
        ["muster health sites", "every site"],
      ],
    },
    (command) =>
      command
        .option("--site <path>", "this site and everything below it")
        .option("--class <name>", "devices of this hardware class")
        .option("--release <name@version>", "devices that run this release"),
    async (_args, { site, class: hardwareClass, release }) => {
      const client = await cli.client();
      const report = await client.get<HealthResource>("/health", { site, class: hardwareClass, release });
      cli.output.data(report, () => describeHealth(report, cli.output.width, cli.output.paint));
    },
  );
  const group = program.commands.find((command) => command.name() === "health")!;

  cli.leaf(
    group,
    {
      name: "device <device>",
      summary: "one device: score, every reason, newest vitals, the last 24 hours",
      examples: [["muster health device press-7", "by name, id or the beginning of the id"]],
    },
    (command) => command,
    async ([device = ""]) => {
      const client = await cli.client();
      const health = await client.get<DeviceHealthResource>(`/health/devices/${encodeURIComponent(device)}`);
      cli.output.data(health, () => describeDeviceHealth(health, cli.terminal.now(), cli.output.paint));
    },
  );

  cli.leaf(
    group,
    {
      name: "sites",
      summary: "every site with its score; figures include the sites below",
      examples: [["muster health sites --json | jq '.[] | select(.score < 70) | .site'", "for a script"]],
    },
    (command) => command,
    async () => {
      const { sites } = await (await cli.client()).get<SiteHealthList>("/health/sites");
      if (sites.length === 0 && !cli.output.json) cli.output.say("There is no site with a device yet.");
      else cli.output.data(sites, () => siteTable(sites, cli.output.width));
    },
  );
}
