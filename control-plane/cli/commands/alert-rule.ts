import { isMusterError, MusterError } from "@muster/shared/errors";
import type { Command, OptionValues } from "commander";
import type { AlertRuleResource } from "../../api/schemas/alerts.ts";
import { ruleCells } from "../alert-words.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import { collect, positiveNumber, timeSpan } from "../options.ts";
import { table } from "../table.ts";

/** `muster alert rule ...` */
export function alertRuleCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "set <name>",
      summary: "change a rule or make one; what is not named stays",
      examples: [
        ["muster alert rule set too-hot --above 80 --for 10m", "another limit"],
        ["muster alert rule set device-offline --disable", "switch it off"],
        ["muster alert rule set slow --signal latencyP95Ms --above 20 --for 9m -l line=b", "your own"],
      ],
    },
    (command) =>
      command
        .option("--signal <name>", "what is looked at; see docs/alerts.md")
        .option("--above <limit>", "fires above this", figure)
        .option("--below <limit>", "fires below this", figure)
        .option("--for <span>", "how long it must last: 0s, 30m", timeSpan)
        .option("--keep <span>", "how long it must be over before it is resolved", timeSpan)
        .option("--severity <severity>", "critical, warning or info")
        .option("-l, --selector <selector>", "devices that it looks at")
        .option("--by <group>", "one alert for each device, site, class or the fleet")
        .option("--min-devices <n>", "devices of the group that must meet it", positiveNumber)
        .option("--min-percent <n>", "share of the group's devices", figure)
        .option("--mutes <rule>", "rule that it speaks for at the same place; may be repeated", collect)
        .option("--summary <text>", "what is wrong, with {placeholders}")
        .option("--remedy <text>", "what to do")
        .option("--enable", "switch it on")
        .option("--disable", "switch it off"),
    async ([name = ""], options) => {
      const client = await cli.client();
      const former = await find(client, name);
      const rule = await client.send<AlertRuleResource>(
        "PUT",
        `/alert-rules/${encodeURIComponent(name)}`,
        changed(former, options),
      );
      cli.output.data(rule, () => table(ruleCells, [rule], cli.output.width));
    },
  );

  cli.leaf(
    group,
    {
      name: "reset <name>",
      summary: "remove your rule, or take a built-in one back to how it came",
      examples: [["muster alert rule reset too-hot", "the limit that Muster brings"]],
    },
    (command) => command,
    async ([name = ""]) => {
      const client = await cli.client();
      await client.send("DELETE", `/alert-rules/${encodeURIComponent(name)}`);
      const now = await find(client, name);
      cli.output.data(now ?? null, () => (now ? `${name} is as it came.` : `${name} is removed.`));
    },
  );
}

async function find(client: OperatorClient, name: string): Promise<AlertRuleResource | undefined> {
  try {
    return await client.get<AlertRuleResource>(`/alert-rules/${encodeURIComponent(name)}`);
  } catch (error) {
    if (isMusterError(error, "request.not-found")) return undefined;
    throw error;
  }
}

function changed(former: AlertRuleResource | undefined, options: OptionValues): Record<string, unknown> {
  const {
    name: _name,
    unit: _unit,
    builtIn: _builtIn,
    changed: _changed,
    above,
    below,
    ...kept
  } = former ?? {};
  const seconds = (millis: unknown) => (millis === undefined ? undefined : Math.round(Number(millis) / 1000));
  if (former === undefined && options.signal === undefined)
    throw new MusterError("settings.invalid", "A new rule needs --signal, and --above or --below.");
  const given = {
    signal: options.signal,
    forSeconds: seconds(options.for),
    keepFiringSeconds: seconds(options.keep),
    severity: options.severity,
    selector: options.selector,
    groupBy: options.by,
    minDevices: options.minDevices,
    minPercent: options.minPercent,
    mutes: options.mutes,
    summary: options.summary,
    remedy: options.remedy,
    enabled: options.disable ? false : options.enable ? true : undefined,
  };
  const isGiven = options.above !== undefined || options.below !== undefined;
  const limits = isGiven ? { above: options.above, below: options.below } : { above, below };
  const all = { ...kept, ...defined(given), ...defined(limits) };
  return all;
}

/** Without members that are undefined or null. */
const defined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));

function figure(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new MusterError("settings.invalid", `${text} is no number.`);
  return value;
}
