import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { decodeExample } from "@muster/shared/protocol/example";
import type { Command } from "commander";
import type { ExampleList } from "../../api/schemas/examples.ts";
import type { Cli } from "../cli.ts";
import { parseMoment } from "../moment.ts";
import { npyFile } from "../npy.ts";
import { ago, bytes as sizeText } from "../words.ts";

const HEX = /^(sha256:)?([0-9a-f]{8,64})$/;

/** Digits of a digest that a table shows. */
const SHOWN = 16;

const hexIn = (digest: string): string => {
  const hex = HEX.exec(digest)?.[2];
  if (hex === undefined)
    throw new MusterError(
      "settings.invalid",
      `${digest} is no digest of an example: its first 8 hex digits or more.`,
    );
  return hex;
};

/** `muster example ...` */
export function exampleCommands(program: Command, cli: Cli): void {
  const group = cli.group(
    program,
    "example",
    "inputs that models were unsure of, kept for the next training",
  );
  cli.leaf(
    group,
    {
      name: "list",
      summary: "hard examples, newest first",
      examples: [
        ["muster example list", "the newest 100"],
        ["muster example list --model detector --site eu/berlin", "of one model, at one site"],
      ],
    },
    (command) =>
      command
        .option("--device <device>", "of one device")
        .option("--site <path>", "of this site and everything below it")
        .option("--release <name@version>", "computed by this release")
        .option("--model <name>", "of this model")
        .option("--before <moment>", "received before this, ISO time with its offset")
        .option("--limit <number>", "at most so many; 100"),
    async (_args, { device, site, release, model, before, limit }) => {
      const now = cli.terminal.now();
      const until = before === undefined ? undefined : String(parseMoment(String(before), now, "--before"));
      const query = { device, site, release, model, before: until, limit };
      const { examples } = await (await cli.client()).get<ExampleList>("/examples", query);
      cli.output.list(
        examples,
        [
          { title: "EXAMPLE", value: (row) => row.digest.slice("sha256:".length).slice(0, SHOWN) },
          { title: "DEVICE", value: (row) => row.device },
          { title: "MODEL", value: (row) => row.model },
          { title: "SITE", value: (row) => row.site },
          { title: "CONFIDENCE", value: (row) => row.confidence.toFixed(3), right: true },
          { title: "LABEL", value: (row) => row.label ?? "" },
          { title: "SEEN", value: (row) => ago(row.at, now) },
          { title: "KEPT", value: (row) => row.keep },
          { title: "SIZE", value: (row) => sizeText(row.size), right: true },
        ],
        examples,
        "There is no hard example.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "get <example>",
      summary: "download an example: header.json and each input as a file that numpy.load reads",
      examples: [["muster example get 3fa9c1d2 --to hard/1", "writes hard/1/header.json and hard/1/*.npy"]],
    },
    (command) => command.requiredOption("--to <directory>", "where to write; made when missing"),
    async ([digest = ""], { to }) => {
      const directory = String(to);
      const response = await (await cli.client()).call(`/examples/${hexIn(digest)}/content`);
      const { header, inputs } = decodeExample(new Uint8Array(await response.arrayBuffer()));
      await mkdir(directory, { recursive: true }).catch((cause: Error) => {
        throw new MusterError("settings.invalid", `--to ${directory} cannot be made: ${cause.message}`, {
          cause,
        });
      });
      const files = ["header.json"];
      await writeFile(join(directory, "header.json"), `${JSON.stringify(header, null, 2)}\n`);
      for (const [index, { datatype, shape, bytes }] of header.inputs.entries()) {
        const file = bytes > 0 ? npyFile(datatype, shape, inputs[index]!) : undefined;
        if (!file) continue;
        // Names of tensors may hold anything; the header tells which is which.
        const name = `input-${index}.npy`;
        await writeFile(join(directory, name), file);
        files.push(name);
      }
      cli.output.data({ directory, files, header }, () => `${directory}: ${files.join(", ")}`);
    },
  );

  cli.leaf(
    group,
    {
      name: "delete <example>",
      summary: "delete an example: there is room for another",
      examples: [["muster example delete 3fa9c1d2", "by the first 8 digits or more of its digest"]],
    },
    (command) => command,
    async ([digest = ""]) => {
      const hex = hexIn(digest);
      await (await cli.client()).send("DELETE", `/examples/${hex}`);
      cli.output.data({ deleted: hex }, () => `${hex} is deleted.`);
    },
  );
}
