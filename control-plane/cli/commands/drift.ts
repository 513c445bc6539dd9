import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { DriftDetails, DriftList } from "../../api/schemas/drift.ts";
import type { Cli } from "../cli.ts";
import { describeDrift, driftTable } from "../drift-words.ts";

const scoped = (command: Command): Command =>
  command
    .option("--site <path>", "this site and everything below it")
    .option("--class <name>", "devices of this hardware class")
    .option("--device <device>", "one device")
    .option("--hours <number>", "how far back; 24");

/** `muster drift ...` */
export function driftCommands(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "drift",
      summary: "what models see and say, against the reference of their release",
      examples: [
        ["muster drift", "every model of the fleet, the last 24 hours"],
        ["muster drift --site eu/berlin", "what devices of a site see"],
        ["muster drift --release vision@1.4.0 --hours 168", "one release, a week"],
        ["muster drift show vision@1.4.0 detector", "every feature of a model"],
      ],
    },
    (command) => scoped(command).option("--release <name@version>", "models of this release"),
    async (_args, { site, class: hardwareClass, device, hours, release }) => {
      const client = await cli.client();
      const query = { site, class: hardwareClass, device, hours, release };
      const { models, refused } = await client.get<DriftList>("/drift", query);
      if (models.length === 0 && !cli.output.json) cli.output.say("Nothing was watched there in this time.");
      else cli.output.data({ models, refused }, () => driftTable(models, cli.output.width));
      if (refused > 0 && !cli.output.json)
        cli.output.say(
          `${refused} windows could not be counted: of a release that is not registered, or with other bins.`,
        );
    },
  );
  const group = program.commands.find((command) => command.name() === "drift")!;
  cli.leaf(
    group,
    {
      name: "show <release> <model>",
      summary: "one model of a release: every feature, expected and seen, and the devices with an alarm",
      examples: [
        ["muster drift show vision@1.4.0 detector", "over the whole fleet"],
        ["muster drift --site eu/berlin show vision@1.4.0 detector", "of one site"],
      ],
    },
    // Commander gives them to `drift` also where they stand behind one of its commands: here they are for the help.
    scoped,
    async ([release = "", model = ""]) => {
      const { site, class: hardwareClass, device, hours, release: filter } = group.opts();
      if (filter !== undefined)
        throw new MusterError("settings.invalid", "--release belongs to `muster drift` alone.");
      const query = { site, class: hardwareClass, device, hours, release, model };
      const { variants } = await (await cli.client()).get<DriftDetails>("/drift/model", query);
      cli.output.data(variants, () =>
        variants.map((each) => describeDrift(each, cli.output.width, cli.output.paint)).join("\n\n"),
      );
    },
  );
}
