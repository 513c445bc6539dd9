import type { Command } from "commander";
import type { FreezeList, FreezeResource } from "../../api/schemas/freezes.ts";
import type { Cli } from "../cli.ts";
import { parseMoment } from "../moment.ts";
import { wholeNumber } from "../options.ts";
import { hasDevices } from "../places.ts";
import { ago, duration } from "../words.ts";

const EVERYWHERE = "everywhere";

/** `muster freeze ...`: times in which nothing new is told. */
export function freezeCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "freeze", "times in which no device is told anything new");

  cli.leaf(
    group,
    {
      name: "create",
      summary: "hold new releases for a time, everywhere or in a site tree; reverts go on",
      examples: [
        ['muster freeze create --to +2h --reason "incident 4711"', "everywhere, from now on"],
        [
          "muster freeze create --site eu --from +1d --to 2026-12-27T00:00Z --reason xmas",
          "at eu and all below it",
        ],
      ],
    },
    (command) =>
      command
        .option("--site <path>", "only this site and all below it")
        .option("--from <moment>", "ISO time with offset, or +2h from now", "now")
        .requiredOption("--to <moment>", "ISO time with offset, or +2h from now")
        .requiredOption("--reason <text>", "why, for those whom it holds"),
    async (_args, options) => {
      const now = cli.terminal.now();
      const from = parseMoment(String(options.from), now, "--from");
      const to = parseMoment(String(options.to), now, "--to");
      const client = await cli.client();
      const freeze = await client.send<FreezeResource>("POST", "/freezes", {
        ...(options.site === undefined ? {} : { site: options.site }),
        // The control plane's clock says what now is.
        ...(options.from === "now" ? {} : { from }),
        to,
        reason: options.reason,
      });
      cli.output.data(freeze, () => freeze.id);
      cli.output.say(
        `Nothing new is told ${placeOf(freeze)} ${whenOf(freeze)}: muster freeze end ${freeze.id} ends it.`,
      );
      if (freeze.site !== null && !(await hasDevices(client, freeze.site)))
        cli.output.say(`Mind the name: no device is at ${freeze.site} or below it now.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list freezes: those that hold or will, then those that are over",
      examples: [["muster freeze list", "what holds rollouts, who said so and why"]],
    },
    (command) => command.option("--past <n>", "how many that are over", wholeNumber, 10),
    async (_args, options) => {
      const client = await cli.client();
      const { freezes } = await client.get<FreezeList>("/freezes", { past: Number(options.past) });
      const now = cli.terminal.now();
      cli.output.list(
        freezes,
        [
          { title: "ID", value: (row) => row.id },
          { title: "SITE", value: (row) => row.site ?? EVERYWHERE },
          { title: "STATE", value: (row) => row.state },
          { title: "BEGINS", value: (row) => ago(row.from, now) },
          { title: "ENDS", value: (row) => ago(row.to, now) },
          { title: "BY", value: (row) => row.createdBy },
          { title: "REASON", value: (row) => row.reason },
        ],
        freezes,
        "There is no freeze.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "end <id>",
      summary: "end a freeze now; rollouts go on",
      examples: [["muster freeze end FREEZE", "one that has not begun never begins"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const freeze = await client.send<FreezeResource>("DELETE", `/freezes/${encodeURIComponent(id)}`);
      cli.output.data(freeze, () => `The freeze ${freeze.id} is over.`);
    },
  );
}

const placeOf = ({ site }: FreezeResource): string => (site === null ? EVERYWHERE : `at ${site}`);

const whenOf = ({ state, from, to }: FreezeResource): string =>
  state === "planned"
    ? `from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`
    : `for ${duration(to - from)}`;
