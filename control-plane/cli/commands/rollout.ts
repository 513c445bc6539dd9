import { MusterError } from "@muster/shared/errors";
import { type Command, Option } from "commander";
import type {
  RolloutDeviceList,
  RolloutEventList,
  RolloutList,
  RolloutResource,
  SelectionResource,
} from "../../api/schemas/rollouts.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import { EXIT } from "../exit-codes.ts";
import { failureText, releaseName } from "../names.ts";
import { timeSpan, wholeNumber } from "../options.ts";
import { readPercent, readPlan, readWave } from "../rollout-plan.ts";
import { countsText, describeRollout, describeSelection, healthOf, isOver } from "../rollout-words.ts";
import { printable } from "../terminal.ts";
import { watchRollout } from "../watch.ts";
import { ago } from "../words.ts";

const REASON = ["--reason <text>", "why, for those who read the events"] as const;
const ACCEPT = ["--accept-wave", "take an inconclusive wave as it is and begin the next"] as const;

const at = (id: string): string => `/rollouts/${encodeURIComponent(id)}`;

/** `muster rollout ...`: the staged change of many devices to one release. */
export function rolloutCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "rollout", "staged changes of many devices to one release");
  createCommand(group, cli);

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list rollouts, newest first",
      examples: [["muster rollout list", "what is under way and what was"]],
    },
    (command) => command,
    async () => {
      const { rollouts } = await (await cli.client()).get<RolloutList>("/rollouts");
      const now = cli.terminal.now();
      cli.output.list(
        rollouts,
        [
          { title: "ID", value: (row) => row.id },
          { title: "RELEASE", value: (row) => releaseName(row.release) },
          { title: "STATE", value: (row) => row.state },
          { title: "WAVE", value: (row) => `${row.wave ?? "-"}/${row.waves}`, right: true },
          { title: "DEVICES", value: (row) => countsText(row.counts) },
          { title: "CREATED", value: (row) => ago(row.createdAt, now) },
        ],
        rollouts,
        "There is no rollout yet: `muster rollout create` makes one.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <rollout>",
      summary: "one rollout with each of its devices",
      examples: [["muster rollout show ROLLOUT", "who is where, and why it failed"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const rollout = await client.get<RolloutResource>(at(id));
      const { devices } = await client.get<RolloutDeviceList>(`${at(id)}/devices`);
      cli.output.data({ ...rollout, devices }, () =>
        [
          ...describeRollout(rollout, cli.terminal.now(), cli.output.paint),
          ...devices.map((device) =>
            printable(
              `  wave ${device.wave}  ${device.site}/${device.name}: ${device.situation} ${failureText(device.failure)}`.trimEnd(),
            ),
          ),
        ].join("\n"),
      );
    },
  );

  statusCommand(group, cli);

  cli.leaf(
    group,
    {
      name: "events <rollout>",
      summary: "what happened in a rollout, oldest first",
      examples: [["muster rollout events ROLLOUT", "each decision with the numbers it rests on"]],
    },
    (command) => command.option("--after <seq>", "only events after this one", wholeNumber, 0),
    async ([id = ""], options) => {
      const client = await cli.client();
      const events = await allEvents(client, id, Number(options.after));
      cli.output.data(events, () =>
        events
          .map((event) => `${new Date(event.at).toISOString().slice(0, 19)}Z  ${printable(event.sentence)}`)
          .join("\n"),
      );
    },
  );

  const actions: [verb: string, summary: string, does: string, option?: readonly [string, string]][] = [
    ["start", "start a draft", "its first wave is told"],
    ["pause", "tell no more devices", "those that were told go on", REASON],
    ["resume", "go on after a pause", "the open wave gets its full time again", ACCEPT],
    ["abort", "stop, and take back what has not begun", "devices that succeeded stay", REASON],
    ["revert", "give every changed device its previous release back", "also after it has completed", REASON],
  ];
  for (const [verb, summary, does, option] of actions)
    cli.leaf(
      group,
      { name: `${verb} <rollout>`, summary, examples: [[`muster rollout ${verb} ROLLOUT`, does]] },
      (command) => (option ? command.option(...option) : command),
      async ([id = ""], options) => {
        const client = await cli.client();
        const body = Object.keys(options).length > 0 ? options : undefined;
        const rollout = await client.send<RolloutResource>("POST", `${at(id)}/${verb}`, body);
        cli.output.data(rollout, () => `Rollout ${rollout.id} is ${rollout.state}.`);
      },
    );
}

function createCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "create",
      summary: "plan a rollout; it starts with --start or `rollout start`",
      examples: [
        ["muster rollout create --release vibration@1.1.0 --wave 1 --wave 25% --dry-run", "who would get it"],
        ["muster rollout create -f rollout.json --start", "from a file in git"],
        ["muster rollout create --release vibration@1.1.0 --selector site=eu/de --start", "one region"],
      ],
    },
    (command) =>
      command
        .option("-f, --file <plan>", "plan as JSON; the options below go before it")
        .option("--release <name@version>", "what to roll out")
        .option("--selector <selector>", "which devices, e.g. site=eu/de,ring!=late; all unless given")
        .option("--wave <size>", "3, 10% or a selector; repeat it; sizes are cumulative", readWave)
        .option("--soak <span>", "how long each wave must hold, e.g. 30s", timeSpan)
        .option("--min-success <percent>", "least share of successes a wave needs", readPercent)
        .option("--max-error <percent>", "share of failures that stops the rollout", readPercent)
        .option("--timeout <span>", "a device that tells no end for so long failed, e.g. 1h", timeSpan)
        .addOption(
          new Option("--on-failure <action>", "what a violated gate does").choices(["revert", "pause"]),
        )
        .option("--force", "also where the release is in quarantine")
        .option("--dry-run", "only say what it would do")
        .option("--start", "start it at once"),
    async (_args, options) => {
      const plan = await readPlan(options);
      const client = await cli.client();
      if (options.dryRun) {
        const selection = await client.send<SelectionResource>("POST", "/rollouts", plan, { dryRun: true });
        cli.output.data(selection, () => describeSelection(selection));
        return;
      }
      const draft = await client.send<RolloutResource>("POST", "/rollouts", plan);
      const rollout = options.start
        ? await client.send<RolloutResource>("POST", `${at(draft.id)}/start`)
        : draft;
      cli.output.data(rollout, () => rollout.id);
      cli.output.say(
        options.start
          ? `Rollout ${rollout.id} is ${rollout.state}: muster rollout status ${rollout.id} --watch`
          : `Rollout ${rollout.id} is a draft: muster rollout start ${rollout.id}`,
      );
    },
  );
}

function statusCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "status [rollout]",
      summary: "state of a rollout, the newest unless named; its health is the exit code",
      examples: [
        ["muster rollout status --watch", "live, until it ends or needs you"],
        ["muster rollout status ROLLOUT --watch --timeout 2h && deploy-docs", "exit code 3 is unhealthy"],
      ],
    },
    (command) =>
      command
        .option("--watch", "follow it until it ends or needs you")
        .option("--timeout <span>", "with --watch: give up after, e.g. 30m", timeSpan),
    async ([named], options) => {
      const client = await cli.client();
      const id = named ?? (await newestRollout(client));
      const deadline =
        options.timeout === undefined
          ? Number.POSITIVE_INFINITY
          : cli.terminal.now() + Number(options.timeout);
      const rollout = options.watch
        ? await watchRollout(client, id, cli.output, deadline)
        : await client.get<RolloutResource>(at(id));
      const { output } = cli;
      output.data(rollout, () => describeRollout(rollout, cli.terminal.now(), output.paint).join("\n"));
      if (!options.watch || isOver(rollout.state)) return healthOf(rollout);
      output.say(`Rollout ${rollout.id} is still ${rollout.state}.`);
      return EXIT.failed;
    },
  );
}

async function newestRollout(client: OperatorClient): Promise<string> {
  const { rollouts } = await client.get<RolloutList>("/rollouts");
  const [newest] = rollouts;
  if (!newest) throw new MusterError("request.not-found", "There is no rollout yet.");
  return newest.id;
}

async function allEvents(
  client: OperatorClient,
  id: string,
  after: number,
): Promise<RolloutEventList["events"]> {
  const all: RolloutEventList["events"] = [];
  for (;;) {
    const { events } = await client.get<RolloutEventList>(`${at(id)}/events`, {
      after: all.at(-1)?.seq ?? after,
    });
    if (events.length === 0) return all;
    all.push(...events);
  }
}
