import type { Command } from "commander";
import type {
  AlertList,
  AlertResource,
  AlertRuleList,
  ReceiverList,
  SilenceList,
  SilenceResource,
} from "../../api/schemas/alerts.ts";
import { alertCells, alertPage, ruleCells } from "../alert-words.ts";
import type { Cli } from "../cli.ts";
import { positiveNumber, spanOption } from "../options.ts";
import { ago, duration } from "../words.ts";
import { alertReceiverCommands } from "./alert-receiver.ts";
import { alertRuleCommands } from "./alert-rule.ts";

/** `muster alert ...`: what is wrong, who is told and what is silenced. */
export function alertCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "alert", "what is wrong, who is told and what is silenced");
  listCommands(group, cli);
  silenceCommands(group, cli);
  listsOfSettings(group, cli);
  alertRuleCommands(cli.group(group, "rule", "change what makes an alert"), cli);
  alertReceiverCommands(cli.group(group, "receiver", "change who is told"), cli);
}

const withFilter = (command: Command): Command =>
  command
    .option("--severity <severity>", "critical, warning or info")
    .option("--rule <name>", "of this rule")
    .option("--site <path>", "at this site and below it")
    .option("--limit <n>", "how many at most", positiveNumber, 100);

function listCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "list",
      summary: "list what fires, the most severe first",
      examples: [
        ["muster alert list", "what is wrong now"],
        ["muster alert list --severity critical --site eu/de", "only this"],
        ["muster alert list --pending", "also what may fire soon"],
      ],
    },
    (command) =>
      withFilter(command)
        .option("--pending", "also what has not lasted long enough to fire")
        .option("--muted", "also what is silenced or told by a wider alert"),
    async (_args, { severity, rule, site, limit, pending, muted }) => {
      const answer = await (await cli.client()).get<AlertList>("/alerts", {
        severity,
        rule,
        site,
        limit,
        ...(pending ? {} : { state: "firing" }),
        ...(muted ? {} : { muted: false }),
      });
      cli.output.list(answer.alerts, alertCells(cli.terminal.now()), answer.alerts, "Nothing fires.");
      if (answer.next !== null) cli.output.say("There are more: see --limit.");
    },
  );

  cli.leaf(
    group,
    {
      name: "show <id>",
      summary: "show one alert with what to do about it",
      examples: [["muster alert show ALERT", "the sentence, the figures and the remedy"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const alert = await (await cli.client()).get<AlertResource>(`/alerts/${encodeURIComponent(id)}`);
      cli.output.data(alert, () => alertPage(alert, cli.terminal.now()));
    },
  );

  cli.leaf(
    group,
    {
      name: "history",
      summary: "list alerts that fired and ended, newest first",
      examples: [
        ["muster alert history", "what was wrong"],
        ["muster alert history --site eu/de --limit 20", "at some sites"],
      ],
    },
    (command) =>
      withFilter(command).option("--cursor <cursor>", "begin after this: `next` of the page before"),
    async (_args, { severity, rule, site, limit, cursor }) => {
      const client = await cli.client();
      const page = await client.get<AlertList>("/alerts/history", { severity, rule, site, limit, cursor });
      cli.output.list(page.alerts, alertCells(cli.terminal.now()), page.alerts, "No alert has ended yet.");
      if (page.next !== null) cli.output.say(`There are more: add --cursor ${page.next}`);
    },
  );
}

function silenceCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "silence <selector>",
      summary: "do not tell of some alerts for a while",
      examples: [
        ['muster alert silence "site=eu/de" --for 2h --reason "power works"', "a site"],
        ['muster alert silence "rule=too-hot,line=b" --for 7d --reason "fan is ordered"', "a rule"],
      ],
    },
    (command) =>
      command
        .requiredOption("--reason <text>", "why, for those who wonder")
        .addOption(spanOption("--for <span>", "for how long: 90s, 30m, 12h or 7d", "1h")),
    async ([selector = ""], options) => {
      const silence = await (await cli.client()).send<SilenceResource>("POST", "/silences", {
        selector,
        reason: options.reason,
        seconds: Math.round(Number(options.for) / 1000),
      });
      cli.output.data(silence, () => silence.id);
      const alerts = silence.selector === "" ? "No alert is" : `Alerts of ${silence.selector} are not`;
      cli.output.say(
        `${alerts} told for ${duration(silence.until - cli.terminal.now())}: muster alert unsilence ${silence.id} ends it.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "unsilence <id>",
      summary: "end a silence now",
      examples: [["muster alert unsilence SILENCE", "its alerts are told again"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const silence = await client.send<SilenceResource>("DELETE", `/silences/${encodeURIComponent(id)}`);
      cli.output.data(silence, () => `${silence.id} has ended.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "silences",
      summary: "list silences, newest first",
      examples: [["muster alert silences", "what is not told, by whom and why"]],
    },
    (command) => command,
    async () => {
      const { silences } = await (await cli.client()).get<SilenceList>("/silences");
      const now = cli.terminal.now();
      cli.output.list(
        silences,
        [
          { title: "ID", value: (row) => row.id },
          { title: "STATE", value: (row) => row.state },
          { title: "ALERTS", value: (row) => row.selector || "all" },
          { title: "ENDS", value: (row) => ago(row.until, now) },
          { title: "BY", value: (row) => row.createdBy },
          { title: "REASON", value: (row) => row.reason },
        ],
        silences,
        "Nothing is silenced.",
      );
    },
  );
}

function listsOfSettings(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "rules",
      summary: "list the rules that make alerts",
      examples: [["muster alert rules", "built-in ones and your own"]],
    },
    (command) => command,
    async () => {
      const { rules } = await (await cli.client()).get<AlertRuleList>("/alert-rules");
      cli.output.list(rules, ruleCells, rules, "There is no rule.");
    },
  );

  cli.leaf(
    group,
    {
      name: "receivers",
      summary: "list who is told, and how delivery goes",
      examples: [["muster alert receivers", "what waits, and what delivery fails with"]],
    },
    (command) => command,
    async () => {
      const { receivers } = await (await cli.client()).get<ReceiverList>("/alert-receivers");
      const now = cli.terminal.now();
      cli.output.list(
        receivers,
        [
          { title: "NAME", value: (row) => row.name },
          { title: "TO", value: (row) => row.webhook?.url ?? row.email?.to.join(" ") ?? "" },
          {
            title: "STATE",
            value: ({ enabled, delivery: { error, lastDeliveredAt } }) => {
              if (!enabled) return "off";
              if (error !== null) return "failing";
              return lastDeliveredAt === null ? "unused" : "ok";
            },
          },
          { title: "WAITING", value: (row) => row.delivery.waiting, right: true },
          { title: "LOST", value: (row) => row.delivery.lost, right: true },
          { title: "DELIVERED", value: (row) => ago(row.delivery.lastDeliveredAt, now) },
          { title: "ERROR", value: (row) => row.delivery.error ?? "" },
        ],
        receivers,
        "Nobody is told of alerts yet: see `muster alert receiver add --help`.",
      );
    },
  );
}
