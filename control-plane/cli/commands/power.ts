import { MusterError } from "@muster/shared/errors";
import { type Command, Option } from "commander";
import type {
  DevicePolicyResource,
  EnergyReportResource,
  FactorList,
  FactorResource,
  PolicyList,
  PolicyResource,
} from "../../api/schemas/energy.ts";
import type { Cli } from "../cli.ts";
import { parseMoment } from "../moment.ts";
import { collect, spanOption } from "../options.ts";
import { parsePowerWindow, policyText, usageColumns } from "../power-words.ts";
import { ago, timestamp } from "../words.ts";

const scoped = (command: Command): Command =>
  command
    .option("--site <path>", "this site and all below it; the fleet unless given")
    .option("--group <name>", "devices of this group; it goes before sites");

/** `muster power ...`: when work that can wait is done, what energy costs, what inference took. */
export function powerCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "power", "energy: windows for work that can wait, cost and carbon");
  policyCommands(cli.group(group, "policy", "when best-effort requests are computed"), cli);
  factorCommands(cli.group(group, "factor", "what a kilowatt hour costs and emits"), cli);
  cli.leaf(
    group,
    {
      name: "report",
      summary: "energy, cost and carbon of inference, the most first; whole hours",
      examples: [
        ["muster power report", "the last 24 hours by site"],
        ["muster power report --by release --last 7d", "by release"],
      ],
    },
    (command) =>
      command
        .addOption(new Option("--by <what>", "rows").choices(["site", "release", "class"]).default("site"))
        .addOption(spanOption("--last <span>", "time up to now, 31 days at most", "24h")),
    async (_args, options) => {
      const to = cli.terminal.now();
      const from = to - Number(options.last);
      const client = await cli.client();
      const report = await client.get<EnergyReportResource>("/power/report", { by: options.by, from, to });
      const rows = [...report.rows, { name: "all", ...report.total }];
      cli.output.list(
        report,
        usageColumns(report.by.toUpperCase(), report.currency),
        report.total.inferences === 0 ? [] : rows,
        "No inference was counted in that time.",
      );
    },
  );
}

function policyCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "set",
      summary: "decide for the fleet, a site tree or a group",
      examples: [
        ['muster power policy set --window "cheap 22:00-05:00" --outside defer', "for the fleet"],
        [
          'muster power policy set --site eu --window "green 10:00-16:00" --outside defer',
          "at eu and all below it, by the clock of each site",
        ],
        ["muster power policy set --group lab --outside run", "at any time, whatever holds for its site"],
      ],
    },
    (command) =>
      scoped(command)
        .option("--window <window>", 'kind and time, e.g. "cheap 22:00-05:00"; may be repeated', collect)
        .addOption(
          new Option("--outside <what>", "best effort outside of the windows")
            .choices(["run", "defer"])
            .makeOptionMandatory(),
        ),
    async (_args, { site, group: name, window, outside }) => {
      const policy = await (await cli.client()).send<PolicyResource>("PUT", "/power/policies", {
        ...(site === undefined ? {} : { site }),
        ...(name === undefined ? {} : { group: name }),
        windows: ((window as string[] | undefined) ?? []).map(parsePowerWindow),
        bestEffortOutside: outside,
      });
      cli.output.data(policy, () => `${policy.scope}: ${policyText(policy)}.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "clear",
      summary: "take a decision back: what holds above, or nothing, holds again",
      examples: [["muster power policy clear --site eu", "the decision for eu itself"]],
    },
    scoped,
    async (_args, { site, group: name }) => {
      const query = new URLSearchParams({
        ...(site === undefined ? {} : { site: String(site) }),
        ...(name === undefined ? {} : { group: String(name) }),
      });
      const client = await cli.client();
      await client.send("DELETE", `/power/policies${query.size > 0 ? `?${query}` : ""}`);
      cli.output.data({}, () => "The decision is taken back.");
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list decisions by place",
      examples: [["muster power policy list", "who decided what, where"]],
    },
    (command) => command,
    async () => {
      const { policies } = await (await cli.client()).get<PolicyList>("/power/policies");
      const now = cli.terminal.now();
      cli.output.list(
        policies,
        [
          { title: "SCOPE", value: (row) => row.scope },
          { title: "POLICY", value: policyText },
          { title: "BY", value: (row) => row.changedBy },
          { title: "SINCE", value: (row) => ago(row.changedAt, now) },
        ],
        policies,
        "Nothing is decided: best effort runs at any time.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <device>",
      summary: "what holds for a device, and by which decision",
      examples: [["muster power policy show press-7", "by name, id or the beginning of the id"]],
    },
    (command) => command,
    async ([device = ""]) => {
      const client = await cli.client();
      const policy = await client.get<DevicePolicyResource>(
        `/power/policies/devices/${encodeURIComponent(device)}`,
      );
      cli.output.data(policy, () =>
        [
          `${policyText(policy)}, by ${policy.scope ?? "nobody's decision"} (${policy.timeZone})`,
          policy.issuedAt === null
            ? "the device was given no policy"
            : `the device was given generation ${policy.generation} ${ago(policy.issuedAt, cli.terminal.now())}`,
        ].join("\n"),
      );
    },
  );
}

function factorCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "add",
      summary: "tell a price, the carbon, or both, from a moment on",
      examples: [
        ["muster power factor add --cost 0.31 --currency EUR --carbon 380", "for the fleet, from now on"],
        [
          "muster power factor add --site eu/no --carbon 30 --from 2026-01-01T00:00Z",
          "at eu/no and all below it, also for what was",
        ],
      ],
    },
    (command) =>
      command
        .option("--site <path>", "this site and all below it; the fleet unless given")
        .option("--from <moment>", "ISO time with offset, or +2h from now; now unless given")
        .option("--cost <price>", "of a kilowatt hour", decimal)
        .option("--currency <code>", "of the price, e.g. EUR")
        .option("--carbon <grams>", "CO2 equivalents of a kilowatt hour", decimal),
    async (_args, { site, from, cost, currency, carbon }) => {
      const factor = await (await cli.client()).send<FactorResource>("POST", "/power/factors", {
        ...(site === undefined ? {} : { site }),
        ...(from === undefined ? {} : { from: parseMoment(String(from), cli.terminal.now(), "--from") }),
        ...(cost === undefined ? {} : { costPerKwh: cost }),
        ...(currency === undefined ? {} : { currency }),
        ...(carbon === undefined ? {} : { gramsPerKwh: carbon }),
      });
      cli.output.data(factor, () => factor.id);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list factors by place and time",
      examples: [["muster power factor list", "what is told of which place"]],
    },
    (command) => command,
    async () => {
      const { factors } = await (await cli.client()).get<FactorList>("/power/factors");
      cli.output.list(
        factors,
        [
          { title: "ID", value: (row) => row.id },
          { title: "SITE", value: (row) => row.site ?? "fleet" },
          { title: "FROM", value: (row) => timestamp(row.from) },
          {
            title: "COST/KWH",
            value: (row) => (row.costPerKwh === null ? "" : `${row.costPerKwh} ${row.currency}`),
            right: true,
          },
          {
            title: "CO2/KWH",
            value: (row) => (row.gramsPerKwh === null ? "" : `${row.gramsPerKwh} g`),
            right: true,
          },
          { title: "BY", value: (row) => row.createdBy },
        ],
        factors,
        "There is no factor: reports tell energy alone.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "remove <id>",
      summary: "take a factor away, also for what was",
      examples: [["muster power factor remove FACTOR", "the one before it holds again"]],
    },
    (command) => command,
    async ([id = ""]) => {
      await (await cli.client()).send("DELETE", `/power/factors/${encodeURIComponent(id)}`);
      cli.output.data({ id }, () => "The factor is taken away.");
    },
  );
}

/** @throws MusterError `settings.invalid` */
function decimal(text: string): number {
  if (!/^-?\d{1,9}(\.\d{1,9})?$/.test(text))
    throw new MusterError("settings.invalid", `${text} is no number: write 0.31.`);
  return Number(text);
}
