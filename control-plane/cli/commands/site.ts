import { MusterError } from "@muster/shared/errors";
import { parseWindow } from "@muster/shared/time/weekly-window";
import type { Command } from "commander";
import type { FreezeList } from "../../api/schemas/freezes.ts";
import type { SiteChange, SiteList, SiteResource } from "../../api/schemas/targeting.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import { collect, collectLabelChange, positiveNumber } from "../options.ts";
import { describeSite } from "../site-words.ts";

const at = (site: string): string => `/sites/${site.split("/").map(encodeURIComponent).join("/")}`;

/** `muster site ...` */
export function siteCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "site", "places with devices, and what holds there");
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

  cli.leaf(
    group,
    {
      name: "show <site>",
      summary: "devices of a site and what holds there, inherited or its own",
      examples: [["muster site show eu/berlin", "time zone, uplink, windows, labels"]],
    },
    (command) => command,
    async ([site = ""]) => {
      const client = await cli.client();
      await tell(cli, client, await client.get<SiteResource>(at(site)));
    },
  );

  cli.leaf(
    group,
    {
      name: "set <site>",
      summary: "state something of a site; sites below inherit it",
      examples: [
        ["muster site set eu/berlin --time-zone Europe/Berlin --uplink 2000", "clock and uplink"],
        [
          'muster site set eu --window "mon-fri 02:00-05:00" --window "sat 00:00-24:00"',
          "when its devices may be told",
        ],
        ["muster site set eu/berlin --label region=north --label old=", "set a label, take one away"],
        ["muster site set eu/lab --any-time", "no windows here, whatever holds above"],
      ],
    },
    (command) =>
      command
        .option("--label <key=value>", "label that its devices inherit; may be repeated", collectLabelChange)
        .option("--time-zone <name>", "IANA name, e.g. Europe/Berlin")
        .option("--uplink <kbps>", "kilobits a second that downloads share", positiveNumber)
        .option("--window <window>", 'e.g. "mon-fri 02:00-05:00"; may be repeated', collect)
        .option("--any-time", "devices may be changed at any time"),
    async ([site = ""], options) => {
      const { label: labels, timeZone, uplink: uplinkKbps, window, anyTime } = options;
      if (window !== undefined && anyTime)
        throw new MusterError("settings.invalid", "Give either --window or --any-time.");
      const windows = anyTime ? [] : (window as string[] | undefined)?.map(parseWindow);
      await change(cli, site, { labels, timeZone, uplinkKbps, windows });
    },
  );

  cli.leaf(
    group,
    {
      name: "unset <site>",
      summary: "inherit again: what is named, or everything",
      examples: [
        ["muster site unset eu/berlin --uplink --windows", "as the site above has them"],
        ["muster site unset eu/berlin", "everything"],
      ],
    },
    (command) =>
      command
        .option("--label <key>", "this label; may be repeated", collect)
        .option("--time-zone", "the time zone")
        .option("--uplink", "the uplink")
        .option("--windows", "the windows"),
    async ([site = ""], options) => {
      const { label, timeZone, uplink, windows } = options;
      if (!label && !timeZone && !uplink && !windows) {
        const client = await cli.client();
        await client.send("DELETE", at(site));
        cli.output.data({ site }, () => `${site} has everything as the site above it.`);
        return;
      }
      const labels = (label as string[] | undefined)?.map((key): [string, null] => [key, null]);
      await change(cli, site, {
        labels: labels && Object.fromEntries(labels),
        timeZone: timeZone ? null : undefined,
        uplinkKbps: uplink ? null : undefined,
        windows: windows ? null : undefined,
      });
    },
  );
}

async function tell(cli: Cli, client: OperatorClient, site: SiteResource): Promise<void> {
  const { freezes } = await client.get<FreezeList>("/freezes", { past: 0 });
  cli.output.data(site, () => describeSite(site, freezes, cli.terminal.now(), cli.output.paint));
}

async function change(
  cli: Cli,
  site: string,
  members: { [K in keyof SiteChange]: SiteChange[K] | undefined },
): Promise<void> {
  const named = Object.entries(members).filter(([, value]) => value !== undefined);
  if (named.length === 0)
    throw new MusterError("settings.invalid", "Say what to set: --label, --time-zone, --uplink or --window.");
  const client = await cli.client();
  const changed = await client.send<SiteResource>("PATCH", at(site), Object.fromEntries(named));
  await tell(cli, client, changed);
  if (changed.devices + changed.revoked === 0)
    cli.output.say(`Mind the name: no device is at ${site} or below it now.`);
}
