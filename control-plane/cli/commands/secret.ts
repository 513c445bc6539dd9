import { readFileSync } from "node:fs";
import { MusterError } from "@muster/shared/errors";
import type { Command, OptionValues } from "commander";
import type { SecretList, SecretResource, SecretRotation } from "../../api/schemas/secrets.ts";
import type { SecretScope } from "../../people/secrets/scope.ts";
import type { Cli } from "../cli.ts";
import { ago } from "../words.ts";

/** `muster secret ...`: what boxes need and nobody else may read. */
export function secretCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "secret", "secrets that are delivered to devices, sealed to each");

  cli.leaf(
    group,
    {
      name: "set <name>",
      summary: "set a secret; on the boxes it is the file <data>/secrets/NAME",
      examples: [
        ["muster secret set camera --site eu/berlin --from-file camera.txt", "at this site and below"],
        ['printf %s "$KEY" | muster secret set api --device press-1 --from-file -', "from a pipe"],
        [
          'muster secret set relay --selector "ring=late" --from-file key.pem',
          "wherever the selector matches",
        ],
      ],
    },
    (command) =>
      command
        .option("--device <device>", "this device")
        .option("--site <path>", "this site and all below it, `*` for the fleet")
        .option("--selector <selector>", "devices that match")
        .requiredOption("--from-file <file>", "file with the value, `-` for standard input"),
    async ([name = ""], options) => {
      const scope = scopeOf(options);
      const value = readValue(String(options.fromFile)).toString("base64");
      const secret = await (await cli.client()).send<SecretResource>("PUT", "/secrets", {
        name,
        scope,
        value,
      });
      cli.output.data(
        secret,
        () => `The secret ${name} is set for ${scopeWords(secret.scope)}: version ${secret.version}.`,
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list secrets; values can not be read again",
      examples: [
        ["muster secret list", "which there are, and for whom"],
        ["muster secret list --device press-1", "which one device gets"],
      ],
    },
    (command) => command.option("--device <device>", "those that this device gets"),
    async (_args, options) => {
      const path =
        options.device === undefined ? "/secrets" : `/devices/${encodeURIComponent(options.device)}/secrets`;
      const { secrets } = await (await cli.client()).get<SecretList>(path);
      const now = cli.terminal.now();
      cli.output.list(
        secrets,
        [
          { title: "ID", value: (row) => row.id },
          { title: "NAME", value: (row) => row.name },
          { title: "FOR", value: (row) => scopeWords(row.scope) },
          { title: "VERSION", value: (row) => String(row.version), right: true },
          { title: "CHANGED", value: (row) => `${ago(row.changedAt, now)} by ${row.changedBy}` },
        ],
        secrets,
        "There is no secret.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "remove <id>",
      summary: "remove a secret; boxes delete it when they ask the next time",
      examples: [["muster secret remove SECRET", "by its id, as `muster secret list` shows it"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const secret = await client.send<SecretResource>("DELETE", `/secrets/${encodeURIComponent(id)}`);
      cli.output.data(secret, () => `The secret ${secret.name} for ${scopeWords(secret.scope)} is removed.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "rotate-key",
      summary: "store all secrets under a new master key",
      examples: [["muster secret rotate-key", "after a backup of the key file went astray"]],
    },
    (command) => command,
    async () => {
      const rotation = await (await cli.client()).send<SecretRotation>("POST", "/secrets/rotate");
      cli.output.data(
        rotation,
        () => `${rotation.secrets} secrets are stored under ${rotation.keyId}; the former key is gone.`,
      );
    },
  );
}

/** @throws MusterError `settings.invalid` */
function scopeOf({ device, site, selector }: OptionValues): SecretScope {
  const given = Object.entries({ device, site, selector }).filter(([, value]) => value !== undefined);
  if (given.length !== 1)
    throw new MusterError("settings.invalid", "Say for whom with one of --device, --site and --selector.");
  return Object.fromEntries(given);
}

/** @throws MusterError `settings.invalid` */
function readValue(file: string): Buffer {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
}

function scopeWords({ device, site, selector }: SecretScope): string {
  if (device !== undefined) return `device ${device}`;
  return site === undefined ? `devices with ${selector}` : `site ${site}`;
}
