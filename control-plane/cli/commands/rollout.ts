import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { FreezeList } from "../../api/schemas/freezes.ts";
import type {
  RolloutDeviceList,
  RolloutEventList,
  RolloutList,
  RolloutResource,
} from "../../api/schemas/rollouts.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import { EXIT } from "../exit-codes.ts";
import { type Around, standingText } from "../hold-words.ts";
import { releaseName } from "../names.ts";
import { positiveNumber, timeSpan, wholeNumber } from "../options.ts";
import { describeRollout } from "../rollout-status.ts";
import { countsText, healthOf, isOver } from "../rollout-words.ts";
import { type Column, table } from "../table.ts";
import { printable } from "../terminal.ts";
import { watchRollout } from "../watch.ts";
import { ago, timestamp } from "../words.ts";
import { actionCommands } from "./rollout-actions.ts";
import { createCommand } from "./rollout-create.ts";
import { shadowCommand } from "./rollout-shadow.ts";

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
    (command) =>
      command
        .option("--limit <n>", "at most so many", positiveNumber, 50)
        .option("--cursor <cursor>", "go on where a page ended"),
    async (_args, { limit, cursor }) => {
      const query = cursor === undefined ? { limit } : { limit, cursor };
      const { rollouts, next } = await (await cli.client()).get<RolloutList>("/rollouts", query);
      const now = cli.terminal.now();
      cli.output.list(
        rollouts,
        [
          { title: "ID", value: (row) => row.id },
          { title: "RELEASE", value: (row) => releaseName(row.release) },
          { title: "STATE", value: (row) => row.state },
          { title: "WAVE", value: (row) => `${row.wave ?? "-"}/${row.waves}`, right: true },
          { title: "DEVICES", value: (row) => countsText(row.counts) },
          { title: "PRIORITY", value: (row) => String(row.priority), right: true },
          { title: "CREATED", value: (row) => ago(row.createdAt, now) },
        ],
        rollouts,
        "There is no rollout yet: `muster rollout create` makes one.",
      );
      if (next !== null) cli.output.say(`There are more: muster rollout list --cursor ${next}`);
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
      const devices = await allDevices(client, id);
      const around = await freezesAround(client, rollout);
      const now = cli.terminal.now();
      cli.output.data({ ...rollout, devices }, () =>
        [
          ...describeRollout(rollout, now, cli.output.paint),
          ...(devices.length > 0
            ? [table(deviceColumns(rollout, now, around), devices, cli.output.width)]
            : []),
        ].join("\n"),
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "devices <rollout>",
      summary: "each device of a rollout: where it is, and what keeps it",
      examples: [
        ["muster rollout devices ROLLOUT", "who is where, and why"],
        ["muster rollout devices ROLLOUT --site eu/de", "only there"],
        ["muster device show DEVICE", "one device in all its rollouts"],
      ],
    },
    (command) => command.option("--site <path>", "this site and everything below it"),
    async ([id = ""], { site }) => {
      const client = await cli.client();
      const rollout = await client.get<RolloutResource>(at(id));
      const lies = (place: string) => site === undefined || place === site || place.startsWith(`${site}/`);
      const devices = (await allDevices(client, id)).filter((device) => lies(device.site));
      const around = await freezesAround(client, rollout);
      const nothing =
        rollout.startedAt === null
          ? `The rollout is ${rollout.state}: its devices are fixed when it starts. --dry-run of its plan says who they would be.`
          : "No device of the rollout is there.";
      cli.output.list(devices, deviceColumns(rollout, cli.terminal.now(), around), devices, nothing);
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
        events.map((event) => `${timestamp(event.at)}  ${printable(event.sentence)}`).join("\n"),
      );
    },
  );

  shadowCommand(group, cli);
  actionCommands(group, cli);
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
  const { rollouts } = await client.get<RolloutList>("/rollouts", { limit: 1 });
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

type Device = RolloutDeviceList["devices"][number];

const deviceColumns = (
  { state, wave: openWave }: RolloutResource,
  now: number,
  around: Around,
): Column<Device>[] => [
  { title: "DEVICE", value: ({ name }) => name },
  { title: "SITE", value: ({ site }) => site },
  { title: "WAVE", value: ({ wave }) => wave, right: true },
  { title: "IS", value: (device) => standingText(device, { state, openWave }, now, around) },
];

/** The freezes, where one holds devices of the rollout. */
async function freezesAround(client: OperatorClient, { held }: RolloutResource): Promise<Around> {
  if (!held.freeze) return {};
  return await client.get<FreezeList>("/freezes", { past: 0 });
}

async function allDevices(client: OperatorClient, id: string): Promise<Device[]> {
  const all: Device[] = [];
  let cursor: string | null = null;
  do {
    const query: { cursor?: string } = cursor === null ? {} : { cursor };
    const page: RolloutDeviceList = await client.get<RolloutDeviceList>(`${at(id)}/devices`, query);
    all.push(...page.devices);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}
