import { MusterError } from "@muster/shared/errors";
import { type Command, Option } from "commander";
import type {
  AttestationHistory,
  AttestationList,
  AttestationPolicyList,
  AttestationPolicyResource,
  AttestationResource,
} from "../../api/schemas/attestation.ts";
import { VERDICTS } from "../../attestation/verdict.ts";
import { describeVerdict, historyLine } from "../attestation-words.ts";
import type { Cli } from "../cli.ts";
import { positiveNumber, timeSpan } from "../options.ts";
import { ago, duration } from "../words.ts";

const at = (device: string): string => `/attestation/devices/${encodeURIComponent(device)}`;
const WEIGHTS = ["information", "warning", "contraindicated"];

const scoped = (command: Command): Command =>
  command
    .option("--site <path>", "this site and all below it; the fleet unless given")
    .option("--class <name>", "devices of this hardware class; it goes before sites");

/** `muster attestation ...`: which devices pass, and why. */
export function attestationCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "attestation", "verdicts: which devices prove what they are and run");

  cli.leaf(
    group,
    {
      name: "status",
      summary: "list devices by verdict, those that do not pass first",
      examples: [
        ["muster attestation status", "the whole fleet"],
        ["muster attestation status --verdict contraindicated", "those that do not pass"],
      ],
    },
    (command) =>
      command
        .option("--site <path>", "this site and everything below it")
        .addOption(new Option("--verdict <tier>", "with this verdict").choices(VERDICTS)),
    async (_args, { site, verdict }) => {
      const list = await (await cli.client()).get<AttestationList>("/attestation", { site, verdict });
      const now = cli.terminal.now();
      const { counts, withheld } = list;
      cli.output.list(
        list,
        [
          { title: "NAME", value: (row) => row.name },
          { title: "SITE", value: (row) => row.site },
          { title: "VERDICT", value: (row) => `${row.verdict}${row.withheld ? " withheld" : ""}` },
          { title: "ASSURANCE", value: (row) => row.assurance },
          { title: "ANSWERED", value: (row) => ago(row.freshAt, now) },
          { title: "WHY", value: (row) => row.sentence },
        ],
        list.devices,
        "No device is like that.",
      );
      if (!cli.output.json)
        cli.output.say(
          `${counts.affirming} pass, ${counts.warning} with a warning, ${counts.contraindicated} do not pass, ${counts.none} without a verdict; ${withheld} get nothing new.`,
        );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <device>",
      summary: "the verdict on one device, and everything that was found",
      examples: [["muster attestation show cam-1", "by name, by id or by the beginning of the id"]],
    },
    (command) => command,
    async ([device = ""]) => {
      const shown = await (await cli.client()).get<AttestationResource>(at(device));
      cli.output.data(shown, () => describeVerdict(shown, cli.terminal.now(), cli.output.paint));
    },
  );

  cli.leaf(
    group,
    {
      name: "history <device>",
      summary: "how the verdict changed, and evidence that was refused; newest first",
      examples: [["muster attestation history cam-1 --limit 20", "what was found lately"]],
    },
    (command) => command.option("--limit <n>", "at most so many lines, 200 at most", positiveNumber, 50),
    async ([device = ""], { limit }) => {
      const client = await cli.client();
      const { entries } = await client.get<AttestationHistory>(`${at(device)}/history`, {
        limit: Number(limit),
      });
      if (entries.length === 0 && !cli.output.json) cli.output.say("It has given no evidence yet.");
      else
        cli.output.data(entries, () =>
          entries.map((entry) => historyLine(entry, cli.output.paint)).join("\n"),
        );
    },
  );

  cli.leaf(
    group,
    {
      name: "refresh <device>",
      summary: "ask a device for evidence now",
      examples: [["muster attestation refresh cam-1", "its verdict is of now a moment later"]],
    },
    (command) => command,
    async ([device = ""]) => {
      await (await cli.client()).send("POST", `${at(device)}/refresh`);
      cli.output.data(
        { device },
        () => `${device} is asked; muster attestation show ${device} tells what it proved.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "clear <device>",
      summary: "forget a fork, for a box whose disk you put back yourself",
      examples: [
        ['muster attestation clear cam-1 --reason "disk restored"', "its next link begins the chain anew"],
      ],
    },
    (command) => command.requiredOption("--reason <text>", "why, for those who ask later"),
    async ([device = ""], { reason }) => {
      const cleared = await (await cli.client()).send<AttestationResource>("POST", `${at(device)}/clear`, {
        reason: String(reason),
      });
      cli.output.data(cleared, () => `The fork of ${cleared.name} is cleared; its next evidence decides.`);
    },
  );

  policyCommands(cli.group(group, "policy", "what is asked of devices, and what follows"), cli);
}

function policyCommands(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "set",
      summary: "decide for the fleet, a site tree or a class; what is not named stays",
      examples: [
        ["muster attestation policy set --mode report --site lab", "show there, without consequence"],
        ["muster attestation policy set --pcrs 0,2,4,7,10 --class linux-x64-cpu", "what TPMs quote"],
        ["muster attestation policy set --unattested withhold", "nothing new without a verdict"],
      ],
    },
    (command) =>
      scoped(command)
        .addOption(new Option("--mode <mode>", "what follows").choices(["off", "report", "enforce"]))
        .option("--interval <span>", "how often devices are asked anew", timeSpan)
        .option("--max-age <span>", "how long a verdict counts", timeSpan)
        .option("--grace <span>", "how long what was made offline carries it on", timeSpan)
        .option("--pcrs <list>", "PCRs that a TPM quotes, e.g. 0,1,2,3,4,5,6,7", pcrList)
        .addOption(new Option("--bank <bank>", "bank of these PCRs").choices(["sha256", "sha384"]))
        .addOption(new Option("--unknown-class <weight>", "no reference set for the class").choices(WEIGHTS))
        .addOption(new Option("--unknown-firmware <weight>", "firmware that no set lists").choices(WEIGHTS))
        .addOption(new Option("--unknown-agent <weight>", "an agent that no set lists").choices(WEIGHTS))
        .addOption(new Option("--gaps <weight>", "links that never came").choices(WEIGHTS))
        .addOption(new Option("--unattested <what>", "without a verdict").choices(["allow", "withhold"])),
    async (_args, options) => {
      const { site, class: hardwareClass, pcrs, bank } = options;
      const client = await cli.client();
      const content = {
        ...definedOf({
          mode: options.mode,
          intervalMs: options.interval,
          maxAgeMs: options.maxAge,
          graceMs: options.grace,
          unknownClass: options.unknownClass,
          unknownFirmware: options.unknownFirmware,
          unknownAgent: options.unknownAgent,
          gaps: options.gaps,
          unattested: options.unattested,
        }),
        ...(pcrs === undefined && bank === undefined ? {} : { pcrs: await pcrsFor(client, pcrs, bank) }),
      };
      if (Object.keys(content).length === 0)
        throw new MusterError(
          "settings.invalid",
          "Say what to decide: see muster attestation policy set --help.",
        );
      const scope = definedOf({ site, class: hardwareClass });
      const set = await client.send<AttestationPolicyResource>("PUT", "/attestation/policies", {
        scope,
        content,
      });
      cli.output.data(set, () => `${set.scope}: ${policyText(set.content)}`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "what was decided where, and what holds else",
      examples: [["muster attestation policy list", "all places"]],
    },
    (command) => command,
    async () => {
      const list = await (await cli.client()).get<AttestationPolicyList>("/attestation/policies");
      const now = cli.terminal.now();
      cli.output.data(list, () =>
        [
          `default: ${policyText(list.defaults)}`,
          ...list.policies.map(
            ({ scope, content, changedBy, changedAt }) =>
              `${scope}: ${policyText(content)} (${changedBy}, ${ago(changedAt, now)})`,
          ),
        ].join("\n"),
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "remove",
      summary: "take a decision back: what holds above holds there again",
      examples: [["muster attestation policy remove --site lab", "of a site"]],
    },
    scoped,
    async (_args, { site, class: hardwareClass }) => {
      const scope = definedOf({ site, class: hardwareClass });
      await (await cli.client()).send("DELETE", "/attestation/policies", undefined, scope);
      cli.output.data(scope, () => "The decision is taken back.");
    },
  );
}

const definedOf = (members: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;

/** @throws MusterError `settings.invalid` */
function pcrList(text: string): number[] {
  const numbers = text.split(",").map((part) => (/^\d{1,2}$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.some((pcr) => !(pcr <= 23)))
    throw new MusterError("settings.invalid", `${text} is no list of PCRs: write 0,2,4,7.`);
  return numbers;
}

async function pcrsFor(
  client: Awaited<ReturnType<Cli["client"]>>,
  indices: unknown,
  bank: unknown,
): Promise<unknown> {
  const { defaults } = await client.get<AttestationPolicyList>("/attestation/policies");
  return { bank: bank ?? defaults.pcrs.bank, indices: indices ?? defaults.pcrs.indices };
}

/** The members of a policy in one line. */
function policyText(content: AttestationPolicyResource["content"]): string {
  const { pcrs, intervalMs, maxAgeMs, graceMs, ...words } = content;
  return [
    ...Object.entries(words).map(([name, value]) => `${name} ${String(value)}`),
    ...(intervalMs === undefined ? [] : [`asked every ${duration(intervalMs)}`]),
    ...(maxAgeMs === undefined ? [] : [`counts for ${duration(maxAgeMs)}`]),
    ...(graceMs === undefined ? [] : [`grace ${duration(graceMs)}`]),
    ...(pcrs === undefined ? [] : [`PCR ${pcrs.indices.join(",")} of ${pcrs.bank}`]),
  ].join(", ");
}
