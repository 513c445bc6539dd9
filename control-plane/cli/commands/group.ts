import type { Command } from "commander";
import type { DeviceSummaryResource } from "../../api/schemas/fleet.ts";
import type { GroupList, GroupResource } from "../../api/schemas/targeting.ts";
import type { Cli } from "../cli.ts";
import { liveness } from "../device-words.ts";
import { releaseName } from "../names.ts";
import { allPages } from "../pages.ts";
import { printable } from "../terminal.ts";

const at = (group: string): string => `/groups/${encodeURIComponent(group)}`;

/** `muster group ...`: saved selectors. */
export function groupCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "group", "saved selectors: who is in follows from the fleet as it is");

  cli.leaf(
    group,
    {
      name: "create <name> <selector>",
      summary: "save a selector under a name",
      examples: [
        ['muster group create cameras "line in (3,4),arch=arm64"', "then select with group=cameras"],
        ["muster group create paris site=eu/paris --description 'the plant'", "a site by another name"],
      ],
    },
    (command) => command.option("--description <text>", "what it is for"),
    async ([name = "", selector = ""], { description }) => {
      const body = { name, selector, ...(description === undefined ? {} : { description }) };
      tell(cli, await (await cli.client()).send<GroupResource>("POST", "/groups", body));
    },
  );

  cli.leaf(
    group,
    {
      name: "change <name> <selector>",
      summary: "give a group another selector",
      examples: [["muster group change cameras arch=arm64", "holds from now on, also for late joiners"]],
    },
    (command) => command.option("--description <text>", "what it is for; as it was unless given"),
    async ([name = "", selector = ""], { description }) => {
      const body = { selector, ...(description === undefined ? {} : { description }) };
      tell(cli, await (await cli.client()).send<GroupResource>("PUT", at(name), body));
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list groups and how many devices each has now",
      examples: [["muster group list", "names, selectors, devices"]],
    },
    (command) => command,
    async () => {
      const { groups } = await (await cli.client()).get<GroupList>("/groups");
      cli.output.list(
        groups,
        [
          { title: "GROUP", value: (row) => row.name },
          { title: "DEVICES", value: (row) => row.devices, right: true },
          { title: "OFFLINE", value: (row) => row.offline, right: true },
          { title: "SELECTOR", value: (row) => row.selector || "(every active device)" },
          { title: "DESCRIPTION", value: (row) => row.description },
        ],
        groups,
        "There is no group yet: `muster group create` saves a selector.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <name>",
      summary: "devices that are in a group now",
      examples: [["muster group show cameras", "who is in it"]],
    },
    (command) => command,
    async ([name = ""]) => {
      const client = await cli.client();
      const shown = await client.get<GroupResource>(at(name));
      const devices = await allPages<DeviceSummaryResource>(client, `${at(name)}/devices`);
      if (!cli.output.json) cli.output.say(words(shown));
      cli.output.list(
        { ...shown, members: devices },
        [
          { title: "NAME", value: (row) => row.name },
          { title: "SITE", value: (row) => row.site },
          { title: "STATE", value: liveness },
          { title: "RUNS", value: (row) => releaseName(row.running) },
        ],
        devices,
        "No device is in it now.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "delete <name>",
      summary: "forget a group; selectors that go on naming it select nobody",
      examples: [["muster group delete cameras", "refused while an open rollout names it"]],
    },
    (command) => command.option("--force", "also while a rollout that has not ended names it"),
    async ([name = ""], { force }) => {
      await (await cli.client()).send("DELETE", at(name), undefined, { force: force === true });
      cli.output.data({ name }, () => `${name} is no group any more.`);
    },
  );
}

const words = ({ name, selector, devices, offline, description }: GroupResource): string =>
  printable(
    `${name}: ${devices} devices (${offline} offline), ${selector || "every active device"}${description === "" ? "" : `. ${description}`}`,
  );

const tell = (cli: Cli, group: GroupResource): void => cli.output.data(group, () => words(group));
