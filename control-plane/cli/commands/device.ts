import { type Command, Option } from "commander";
import type {
  DeviceResource,
  DeviceSummaryResource,
  Relabelling,
  Timeline,
} from "../../api/schemas/fleet.ts";
import type { FreezeList } from "../../api/schemas/freezes.ts";
import type { DeviceRolloutList, RolloutResource } from "../../api/schemas/rollouts.ts";
import type { SiteResource } from "../../api/schemas/targeting.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import { describeDevice, deviceDoing, liveness, timelineLine } from "../device-words.ts";
import { type Around, rolloutOfDevice } from "../hold-words.ts";
import { releaseName } from "../names.ts";
import { collectLabelChange, positiveNumber } from "../options.ts";
import { allPages } from "../pages.ts";
import { ago } from "../words.ts";
import { standingCommands } from "./device-standing.ts";

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
        ["muster device list -l 'line in (3,4),liveness=offline'", "a selector; see docs/selectors.md"],
        ["muster device list --json | jq -r '.[].id'", "ids for a script"],
      ],
    },
    (command) =>
      command
        .option("-l, --selector <selector>", "which devices, e.g. ring=canary,release=vision@1.2.0")
        .option("--site <path>", "this site and everything below it")
        .addOption(new Option("--liveness <state>", "how it is").choices(LIVENESS))
        .addOption(
          new Option("--status <status>", "in the fleet or not").choices([
            "active",
            "quarantined",
            "revoked",
          ]),
        )
        .option("--release <digest>", "digest of the running release")
        .option("--text <part>", "part of the id or name")
        .option("--limit <n>", "at most so many; all unless given", positiveNumber),
    async (_args, options) => {
      const {
        selector,
        site,
        liveness: live,
        status,
        release,
        text,
        limit,
      } = options as Record<string, string | undefined>;
      const filter = { selector, site, liveness: live, status, release, text };
      const devices = await allPages<DeviceSummaryResource>(
        await cli.client(),
        "/devices",
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
      summary: "everything about one device: its rollouts, and what keeps it from being told",
      examples: [
        ["muster device show cam-1", "by name, by id or by the beginning of the id"],
        ["muster device show eu/berlin/cam-1", "by site and name, where a name is not unique"],
      ],
    },
    (command) => command,
    async ([device = ""]) => {
      const client = await cli.client();
      const shown = await client.get<DeviceResource>(at(device));
      const { rollouts } = await client.get<DeviceRolloutList>(`${at(shown.id)}/rollouts`);
      const around = await placeOf(client, shown.site, rollouts);
      const now = cli.terminal.now();
      const lines = rollouts.map((part) => rolloutOfDevice(part, now, around));
      cli.output.data({ ...shown, rollouts }, () => describeDevice(shown, lines, now, cli.output.paint));
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
      const labels = labelChange(pairs);
      const changed = await (await cli.client()).send<DeviceResource>("PATCH", at(device), { labels });
      cli.output.data(changed, () => `${changed.name}: ${labelText(changed)}`);
    },
  );

  cli.leaf(
    group,
    {
      name: "relabel <labels...>",
      summary: "set labels of many devices at once; `key=` takes a label away",
      examples: [
        ["muster device relabel ring=canary -l site=eu/berlin --dry-run", "who would change"],
        ["muster device relabel ring= -l group=cameras", "take a label away from all of them"],
      ],
    },
    (command) =>
      command
        .requiredOption("-l, --selector <selector>", "which devices")
        .option("--dry-run", "only say what it would do"),
    async (pairs, { selector, dryRun = false }) => {
      const body = { labels: labelChange(pairs) };
      const client = await cli.client();
      const done = await client.send<Relabelling>("PATCH", "/devices", body, { selector, dryRun });
      const verb = dryRun ? "would change" : "changed";
      const names = done.examples.map(({ name, site }) => `  ${site}/${name}`);
      const more = done.changed > names.length ? ["  ..."] : [];
      cli.output.data(done, () =>
        [`${done.changed} of ${done.matched} selected devices ${verb}.`, ...names, ...more].join("\n"),
      );
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
  standingCommands(group, cli);
}

/** What holds at a site, as far as it keeps the device from being told. */
async function placeOf(
  client: OperatorClient,
  site: string,
  rollouts: DeviceRolloutList["rollouts"],
): Promise<Around> {
  const heldBy = (reason: string) => rollouts.find(({ held }) => held === reason)?.rollout;
  const waiting = heldBy("window");
  return {
    ...(heldBy("freeze") ? await client.get<FreezeList>("/freezes", { past: 0 }) : {}),
    ...(waiting ? { terms: await windowsOf(client, site, waiting) } : {}),
  };
}

async function windowsOf(
  client: OperatorClient,
  site: string,
  rollout: string,
): Promise<NonNullable<Around["terms"]>> {
  const path = `/sites/${site.split("/").map(encodeURIComponent).join("/")}`;
  const { effective } = await client.get<SiteResource>(path);
  const { plan } = await client.get<RolloutResource>(`/rollouts/${encodeURIComponent(rollout)}`);
  const { timeZone, windows } = effective;
  return { timeZone, windows: Array.isArray(plan.windows) ? plan.windows : windows };
}

const labelChange = (pairs: readonly string[]): Record<string, string | null> =>
  pairs.reduce<Record<string, string | null>>((labels, pair) => collectLabelChange(pair, labels), {});

const labelText = ({ labels }: DeviceResource): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ") || "no labels";
