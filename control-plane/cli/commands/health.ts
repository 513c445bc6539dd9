import { MusterError } from "@muster/shared/errors";
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
  /** Commander takes the options of `health` also where they stand behind one of its commands. */
  const refuse = (names: readonly string[]) => {
    const name = names.find((each) => group.opts()[each] !== undefined);
    if (name !== undefined)
      throw new MusterError("settings.invalid", `--${name} belongs to \`muster health\` alone.`);
  };

  cli.leaf(
    group,
    {
      name: "device <device>",
      summary: "one device: score, every reason, newest vitals, the last 24 hours",
      examples: [["muster health device press-7", "by name, id or the beginning of the id"]],
    },
    (command) => command,
    async ([device = ""]) => {
      refuse(["site", "class", "release"]);
      const client = await cli.client();
      const health = await client.get<DeviceHealthResource>(`/health/devices/${encodeURIComponent(device)}`);
      cli.output.data(health, () => describeDeviceHealth(health, cli.terminal.now(), cli.output.paint));
    },
  );

  cli.leaf(
    group,
    {
      name: "sites",
      summary: "every site with its score, the worst first; figures include the sites below",
      examples: [
        ["muster health sites", "the worst first"],
        ["muster health sites --site eu/de", "this one and those below it"],
        ["muster health sites --json | jq '.[] | select(.score < 70) | .site'", "for a script"],
      ],
    },
    (command) => command,
    async () => {
      refuse(["class", "release"]);
      const { site: top } = group.opts();
      const answer = await (await cli.client()).get<SiteHealthList>("/health/sites");
      const isBelow = (site: string) => top === undefined || site === top || site.startsWith(`${top}/`);
      const sites = answer.sites
        .filter(({ site }) => isBelow(site))
        .sort((a, b) => (a.score ?? 101) - (b.score ?? 101));
      if (sites.length === 0 && !cli.output.json) cli.output.say("There is no site with a device yet.");
      else cli.output.data(sites, () => siteTable(sites, cli.output.width));
    },
  );
}
