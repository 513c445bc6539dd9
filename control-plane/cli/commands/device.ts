import { MusterError } from "@muster/shared/errors";
import { type Command, Option } from "commander";
import type { DeviceList, DeviceResource, DeviceSummaryResource, Timeline } from "../../api/schemas/fleet.ts";
import type { Cli } from "../cli.ts";
import { describeDevice, deviceDoing, liveness, timelineLine } from "../device-words.ts";
import { releaseName } from "../names.ts";
import { positiveNumber } from "../options.ts";
import { ago } from "../words.ts";

const LIVENESS = ["online", "late", "offline", "flapping"];

const at = (device: string): string => `/devices/${encodeURIComponent(device)}`;

/** `muster device ...`. A device is named by id, name, `site/name` or the beginning of its id. */
export function deviceCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "device", "edge boxes: what they run and how they are");

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list devices",
      examples: [
        ["muster device list --site eu/berlin", "a site and everything below it"],
        ["muster device list --liveness offline", "who is not there"],
        ["muster device list --json | jq -r '.[].id'", "ids for a script"],
      ],
    },
    (command) =>
      command
        .option("--site <path>", "this site and everything below it")
        .addOption(new Option("--liveness <state>", "how it is").choices(LIVENESS))
        .addOption(new Option("--status <status>", "in the fleet or not").choices(["active", "revoked"]))
        .option("--release <digest>", "digest of the running release")
        .option("--text <part>", "part of the id or name")
        .option("--limit <n>", "at most so many; all unless given", positiveNumber),
    async (_args, options) => {
      const {
        site,
        liveness: live,
        status,
        release,
        text,
        limit,
      } = options as Record<string, string | undefined>;
      const filter = { site, liveness: live, status, release, text };
      const devices = await allDevices(
        cli,
        filter,
        limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
      );
      const now = cli.terminal.now();
      cli.output.list(
        devices,
        [
          { title: "NAME", value: (row) => row.name },
          { title: "SITE", value: (row) => row.site },
          { title: "STATE", value: liveness },
          { title: "SEEN", value: (row) => ago(row.lastSeenAt, now) },
          { title: "RUNS", value: (row) => releaseName(row.running) },
          { title: "DOING", value: deviceDoing },
        ],
        devices,
        Object.values(filter).some((value) => value !== undefined)
          ? "No device is like that."
          : "There is no device yet: `muster token create` says what to run on a box.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <device>",
      summary: "everything about one device",
      examples: [
        ["muster device show berlin-3-cam-1", "by name, by id or by the beginning of the id"],
        ["muster device show eu/berlin/cam-1", "by site and name, where a name is not unique"],
      ],
    },
    (command) => command,
    async ([device = ""]) => {
      const shown = await (await cli.client()).get<DeviceResource>(at(device));
      cli.output.data(shown, () => describeDevice(shown, cli.terminal.now(), cli.output.paint));
    },
  );

  cli.leaf(
    group,
    {
      name: "timeline <device>",
      summary: "updates and events of one device, newest first",
      examples: [["muster device timeline cam-1 --limit 20", "what happened to it last"]],
    },
    (command) => command.option("--limit <n>", "at most so many entries", positiveNumber, 50),
    async ([device = ""], options) => {
      const client = await cli.client();
      const { entries } = await client.get<Timeline>(`${at(device)}/timeline`, {
        limit: Number(options.limit),
      });
      if (entries.length === 0 && !cli.output.json) cli.output.say("Nothing happened to this device yet.");
      else cli.output.data(entries, () => entries.map(timelineLine).join("\n"));
    },
  );

  cli.leaf(
    group,
    {
      name: "label <device> <labels...>",
      summary: "set labels; `key=` takes a label away",
      examples: [
        ["muster device label cam-1 ring=canary floor=2", "for selectors like ring=canary"],
        ["muster device label cam-1 ring=", "take a label away"],
      ],
    },
    (command) => command,
    async ([device = "", ...pairs]) => {
      const labels = Object.fromEntries(pairs.map(readLabel));
      const changed = await (await cli.client()).send<DeviceResource>("PATCH", at(device), { labels });
      cli.output.data(changed, () => `${changed.name}: ${labelText(changed)}`);
    },
  );

  cli.leaf(
    group,
    {
      name: "rename <device> <name>",
      summary: "give a device another name within its site",
      examples: [["muster device rename cam-1 gate-camera", "its id stays"]],
    },
    (command) => command,
    async ([device = "", name]) => {
      const changed = await (await cli.client()).send<DeviceResource>("PATCH", at(device), { name });
      cli.output.data(changed, () => `${changed.id} is ${changed.site}/${changed.name}.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "revoke <device>",
      summary: "put a device out of the fleet for good",
      examples: [['muster device revoke cam-1 --reason "stolen"', "cuts its session at once"]],
    },
    (command) => command.requiredOption("--reason <text>", "why, for those who ask later"),
    async ([device = ""], options) => {
      const body = { reason: String(options.reason) };
      const revoked = await (await cli.client()).send<DeviceResource>("POST", `${at(device)}/revoke`, body);
      cli.output.data(revoked, () => `${revoked.name} (${revoked.id}) is revoked.`);
    },
  );
}

async function allDevices(
  cli: Cli,
  filter: Record<string, string | undefined>,
  limit: number,
): Promise<DeviceSummaryResource[]> {
  const client = await cli.client();
  const devices: DeviceSummaryResource[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.get<DeviceList>("/devices", {
      ...filter,
      limit: Math.max(1, Math.min(1000, limit - devices.length)),
      cursor,
    });
    devices.push(...page.devices);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && devices.length < limit);
  return devices;
}

function readLabel(pair: string): [string, string | null] {
  const equals = pair.indexOf("=");
  if (equals < 1) throw new MusterError("settings.invalid", `${pair} is no label: write key=value or key=.`);
  return [pair.slice(0, equals), pair.slice(equals + 1) || null];
}

const labelText = ({ labels }: DeviceResource): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ") || "no labels";
