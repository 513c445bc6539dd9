import { type FileHandle, open } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { AuditEntryResource, AuditHead, AuditPage, CheckpointList } from "../../api/schemas/audit.ts";
import { exportHeader, exportLine } from "../../audit/export.ts";
import { type CheckedLog, checkFile, checkOnline, entriesOf } from "../audit-check.ts";
import type { Cli } from "../cli.ts";
import { EXIT } from "../exit-codes.ts";
import { parseMoment } from "../moment.ts";
import { wholeNumber } from "../options.ts";
import { parseDuration } from "../words.ts";

const MAX_PAGE = 1000;
const key = (value: string, before: readonly string[] = []): string[] => {
  if (!/^[0-9a-f]{64}$/.test(value))
    throw new MusterError("settings.invalid", `${value} is no public key: 64 hex digits are expected.`);
  return [...before, value];
};

/** `muster audit ...`: who did and decided what, and whether the record of it is whole. */
export function auditCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "audit", "who did and decided what, on a record that cannot be edited");
  listCommand(group, cli);
  showCommand(group, cli);
  verifyCommand(group, cli);
  exportCommand(group, cli);
  keyCommand(group, cli);
}

function listCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "list",
      summary: "list entries, newest first",
      examples: [
        ["muster audit list --actor alice --from -1d", "what Alice did since yesterday"],
        ["muster audit list --action rollout --limit 20", "what happened to rollouts"],
        ["muster audit list --subject device/DEVICE", "the record of one device"],
      ],
    },
    (command) =>
      command
        .option("--actor <id or name>", "done by this operator or device")
        .option("--action <action>", "an action such as device.revoke, or all of a noun: device")
        .option("--subject <subject>", "done to this, or to all of a noun")
        .option("--from <moment>", "not before: ISO time with offset, or -1d")
        .option("--to <moment>", "before: ISO time with offset, or -1h")
        .option("--limit <n>", "how many", wholeNumber, 50),
    async (_args, options) => {
      const now = cli.terminal.now();
      const moment = (name: "from" | "to") =>
        options[name] === undefined ? undefined : momentOf(String(options[name]), now, `--${name}`);
      const client = await cli.client();
      const limit = Number(options.limit);
      const entries: AuditEntryResource[] = [];
      let before: number | undefined;
      while (entries.length < limit) {
        const page = await client.get<AuditPage>("/audit", {
          actor: options.actor,
          action: options.action,
          subject: options.subject,
          from: moment("from"),
          to: moment("to"),
          before,
          limit: Math.min(MAX_PAGE, limit - entries.length),
        });
        entries.push(...page.entries);
        if (page.next === null) break;
        before = page.next;
      }
      cli.output.list(
        entries,
        [
          { title: "SEQ", value: (row) => row.seq, right: true },
          { title: "AT", value: (row) => new Date(row.at).toISOString() },
          { title: "BY", value: (row) => row.actor.name },
          { title: "ACTION", value: (row) => row.action },
          { title: "SUBJECT", value: (row) => row.subject },
          { title: "DETAIL", value: (row) => detailText(row) },
        ],
        entries,
        "There is no such entry.",
      );
    },
  );
}

function showCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "show <seq>",
      summary: "show one entry with all that it says",
      examples: [["muster audit show 4711", "who, what, when, with which numbers"]],
    },
    (command) => command,
    async ([seq = ""]) => {
      const client = await cli.client();
      const entry = await client.get<AuditEntryResource>(`/audit/${encodeURIComponent(seq)}`);
      cli.output.data(entry, () =>
        [
          `Entry ${entry.seq} of ${new Date(entry.at).toISOString()}`,
          `  by        ${entry.actor.kind} ${entry.actor.name} (${entry.actor.id})`,
          `  action    ${entry.action}`,
          `  subject   ${entry.subject}`,
          ...Object.entries(entry.detail).map(([name, value]) => `  ${name.padEnd(9)} ${textOf(value)}`),
          `  digest    ${entry.digest}`,
          `  previous  ${entry.previous ?? "none: the first entry"}`,
          `  signature ${entry.signature}`,
        ].join("\n"),
      );
    },
  );
}

function verifyCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "verify [file]",
      summary: "check that nothing was edited, deleted, reordered or cut off",
      examples: [
        ["muster audit verify", "the log of the control plane, and what was seen of it before"],
        ["muster audit verify audit.jsonl --key KEY", "an export; needs no control plane"],
      ],
    },
    (command) =>
      command
        .option("--key <hex>", "public key that may have signed; may be given more than once", key)
        .option("--since <seq>", "begin with this entry", wholeNumber),
    async ([file], options) => {
      const given = { keys: (options.key ?? []) as string[], since: options.since as number | undefined };
      const report = file
        ? await checkFile(file, given)
        : await checkOnline(await cli.client(), cli.terminal.env, given);
      cli.output.data(report, () => reportText(report));
      if (report.keyTaken)
        cli.output.say(
          `The key was not known before and is believed: ${report.keys.join(", ")}. Compare it with \`muster audit key\` on another machine.`,
        );
      return report.findings.length === 0 ? EXIT.ok : EXIT.failed;
    },
  );
}

function exportCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "export <file>",
      summary: "write the log to a file that can be checked without a control plane",
      examples: [["muster audit export audit.jsonl", "then: muster audit verify audit.jsonl --key KEY"]],
    },
    (command) =>
      command
        .option("--since <seq>", "begin with this entry", wholeNumber, 0)
        .option("--force", "replace the file where it exists"),
    async ([file = ""], options) => {
      const client = await cli.client();
      const head = await client.get<AuditHead>("/audit/head");
      const { checkpoints } = await client.get<CheckpointList>("/audit/checkpoints");
      const since = Number(options.since);
      const out = await newFile(file, options.force === true);
      let entries = 0;
      try {
        const seen = checkpoints.filter(({ seq }) => seq >= since);
        await out.appendFile(exportHeader(head.publicKey, seen));
        for await (const entry of entriesOf(client, since, head.last ?? 0)) {
          await out.appendFile(exportLine(entry));
          entries += 1;
        }
        await out.sync();
      } finally {
        await out.close();
      }
      cli.output.data(
        { file, entries, publicKey: head.publicKey },
        () => `${entries} entries are in ${file}.`,
      );
    },
  );
}

function keyCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "key",
      summary: "show the public key that checks the log",
      examples: [["muster audit key", "keep it where the control plane cannot reach it"]],
    },
    (command) => command,
    async () => {
      const head = await (await cli.client()).get<AuditHead>("/audit/head");
      cli.output.data({ publicKey: head.publicKey, keyId: head.keyId }, () => head.publicKey);
    },
  );
}

function reportText(report: CheckedLog): string {
  const { entries, first, last, checkpoints, findings, more } = report;
  const range = first === null ? "no entries" : `entries ${first} to ${last}`;
  const read = `${range} read (${entries}), held against ${checkpoints} checkpoint${checkpoints === 1 ? "" : "s"}.`;
  if (findings.length === 0) return `The audit log is whole: ${read}`;
  return [
    `THE AUDIT LOG IS NOT AS IT WAS WRITTEN: ${read}`,
    ...findings.map(({ sentence }) => `  ${sentence}`),
    ...(more > 0 ? [`  and ${more} more.`] : []),
  ].join("\n");
}

async function newFile(file: string, replace: boolean): Promise<FileHandle> {
  try {
    return await open(file, replace ? "w" : "wx", 0o600);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const why = exists ? "exists already; --force replaces it" : "cannot be written";
    throw new MusterError("settings.invalid", `${file} ${why}.`, { cause });
  }
}

/** As `parseMoment`, and `-1d` for a span before now. */
function momentOf(text: string, now: number, option: string): number {
  const span = text.startsWith("-") ? parseDuration(text.slice(1)) : undefined;
  return span === undefined ? parseMoment(text, now, option) : now - span;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** What says most of an entry in one line. */
function detailText({ detail }: AuditEntryResource): string {
  const { sentence, ...rest } = detail;
  if (typeof sentence === "string") return sentence;
  return Object.entries(rest)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${textOf(value)}`)
    .join(" ");
}
