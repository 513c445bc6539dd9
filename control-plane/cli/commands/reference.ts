import { readFile, writeFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { ReferenceDetail, ReferenceList, ReferenceResource } from "../../api/schemas/attestation.ts";
import type { ReferenceSet } from "../../attestation/references/reference-set.ts";
import { readReferenceSet, signReferenceSet } from "../../attestation/references/signing.ts";
import type { Cli } from "../cli.ts";
import { KEYS_OPTION, openKeys } from "../keys.ts";
import { ago } from "../words.ts";

/** `muster reference ...`: what evidence is appraised against; files that are reviewed and signed offline. */
export function referenceCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "reference", "reference values: what evidence is appraised against");

  cli.leaf(
    group,
    {
      name: "learn <device>",
      summary: "write a reference set from a golden device, for review",
      examples: [["muster reference learn bench-1 --name n100 -o n100.json", "then review, then import"]],
    },
    (command) =>
      command
        .requiredOption("--name <name>", "name of the set")
        .option("-o, --output <file>", "where to; standard output unless given"),
    async ([device = ""], { name, output }) => {
      const path = `/attestation/devices/${encodeURIComponent(device)}/candidate`;
      const set = await (await cli.client()).get<ReferenceSet>(path, { name: String(name) });
      const text = `${JSON.stringify(set, undefined, 2)}\n`;
      if (output === undefined) return cli.output.data(set, () => text);
      await writeText(String(output), text);
      cli.output.data({ file: output, name: set.name }, () => `Wrote ${String(output)}.`);
      cli.output.say("Review it, keep it in git, then: muster reference import FILE --keys DIR");
    },
  );

  cli.leaf(
    group,
    {
      name: "sign <file>",
      summary: "sign a reviewed reference set with the offline targets key",
      examples: [["muster reference sign n100.json --keys ./keys -o n100.signed.json", "where the keys are"]],
    },
    (command) => command.option(...KEYS_OPTION).requiredOption("-o, --output <file>", "where to"),
    async ([file = ""], options) => {
      const set = readReferenceSet(await readText(file));
      const { keys } = await openKeys(cli, options.keys);
      const signed = signReferenceSet(set, keys.targets);
      await writeText(String(options.output), `${JSON.stringify(signed, undefined, 2)}\n`);
      cli.output.data(
        { file: options.output, keyId: signed.keyId },
        () => `Wrote ${String(options.output)}.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "import <file>",
      summary: "take a reference set into force; signs a reviewed file first",
      examples: [
        ["muster reference import n100.json --keys ./keys", "signs and imports"],
        ["muster reference import n100.signed.json", "one that was signed elsewhere"],
      ],
    },
    (command) => command.option(...KEYS_OPTION),
    async ([file = ""], options) => {
      const text = await readText(file);
      const document = isSigned(text)
        ? text
        : JSON.stringify(
            signReferenceSet(readReferenceSet(text), (await openKeys(cli, options.keys)).keys.targets),
          );
      const imported = await (await cli.client()).send<ReferenceResource>("POST", "/references", {
        document,
      });
      const { firmware, agents, imaRules } = imported.counts;
      cli.output.data(
        imported,
        () =>
          `${imported.name} (sequence ${imported.sequence}) is in force for ${imported.hardwareClass}: ${firmware} firmware states, ${agents} agents, ${imaRules} rules for files.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list the reference sets in force",
      examples: [["muster reference list", "what evidence is appraised against"]],
    },
    (command) => command,
    async () => {
      const { references } = await (await cli.client()).get<ReferenceList>("/references");
      const now = cli.terminal.now();
      cli.output.list(
        references,
        [
          { title: "NAME", value: (row) => row.name },
          { title: "SEQUENCE", value: (row) => row.sequence, right: true },
          { title: "CLASS", value: (row) => row.hardwareClass },
          { title: "FIRMWARE", value: (row) => row.counts.firmware, right: true },
          { title: "AGENTS", value: (row) => row.counts.agents, right: true },
          { title: "FILE RULES", value: (row) => row.counts.imaRules, right: true },
          { title: "IMPORTED", value: (row) => `${ago(row.importedAt, now)} by ${row.importedBy}` },
        ],
        references,
        "There is no reference set: run `muster reference learn` on a box that you trust.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <name>",
      summary: "one signed reference set, as JSON",
      examples: [["muster reference show n100", "as it was signed"]],
    },
    (command) => command,
    async ([name = ""]) => {
      const shown = await (await cli.client()).get<ReferenceDetail>(
        `/references/${encodeURIComponent(name)}`,
      );
      cli.output.data(shown, () => JSON.stringify(shown.document, undefined, 2));
    },
  );

  cli.leaf(
    group,
    {
      name: "remove <name>",
      summary: "take a reference set out of force",
      examples: [["muster reference remove n100", "devices of its class are appraised without it"]],
    },
    (command) => command,
    async ([name = ""]) => {
      await (await cli.client()).send("DELETE", `/references/${encodeURIComponent(name)}`);
      cli.output.data({ name }, () => `${name} is out of force.`);
    },
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
}

async function writeText(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be written.`, { cause });
  }
}

/** A signed document has its content as `payload`; everything else about it is checked where it is taken. */
function isSigned(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "payload" in value;
  } catch {
    return false;
  }
}
