import { type Command, Option } from "commander";
import type { CreatedToken, TokenList, TokenResource } from "../../api/schemas/tokens.ts";
import type { Cli } from "../cli.ts";
import { localRootPin, tellJoinToken } from "../join-command.ts";
import { KEYS_OPTION } from "../keys.ts";
import { collectLabel, positiveNumber, timeSpan } from "../options.ts";
import { ago } from "../words.ts";
import { minAssuranceOption } from "./device-standing.ts";

const DAY = 86_400_000;

/** `muster token ...`: what lets a device in. */
export function tokenCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "token", "join tokens, which let devices in");

  cli.leaf(
    group,
    {
      name: "create",
      summary: "create a join token and say what to run on the box",
      examples: [
        ["muster token create --site eu/berlin --keys ./keys", "for one device, within a day"],
        ["muster token create --site eu/paris --uses 20 --expires 7d --label ring=late", "for a batch"],
        ["muster token create --site eu --min-assurance tpm-certified", "only for boxes with a known TPM"],
      ],
    },
    (command) =>
      command
        .requiredOption("--site <path>", "site of the devices, e.g. eu/berlin")
        .option("--uses <n>", "how many devices may enroll with it", positiveNumber, 1)
        .addOption(
          new Option("--expires <span>", "until when: 90s, 30m, 12h or 7d")
            .argParser(timeSpan)
            .default(DAY, "1d"),
        )
        .option("--label <key=value>", "label of the devices; may be repeated", collectLabel)
        .addOption(minAssuranceOption())
        .option(...KEYS_OPTION),
    async (_args, options) => {
      const client = await cli.client();
      const pin = await localRootPin(cli, options.keys);
      const created = await client.send<CreatedToken>("POST", "/tokens", {
        site: options.site,
        uses: options.uses,
        expiresIn: Math.round(Number(options.expires) / 1000),
        ...(options.label ? { labels: options.label } : {}),
        ...(options.minAssurance ? { minAssurance: options.minAssurance } : {}),
      });
      const devices = `${created.uses} ${created.uses === 1 ? "device" : "devices"} at ${created.site}`;
      const ends = `ends ${ago(created.expiresAt, cli.terminal.now())}`;
      await tellJoinToken(cli, client, created, pin, `For ${devices}, ${ends}.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list join tokens, newest first",
      examples: [["muster token list", "what can still be used"]],
    },
    (command) => command,
    async () => {
      const { tokens } = await (await cli.client()).get<TokenList>("/tokens");
      const now = cli.terminal.now();
      cli.output.list(
        tokens,
        [
          { title: "ID", value: (row) => row.id },
          { title: "SITE", value: (row) => row.site },
          { title: "STATE", value: (row) => row.state },
          { title: "LEFT", value: (row) => `${row.usesLeft}/${row.uses}`, right: true },
          { title: "ASKS", value: (row) => row.minAssurance },
          { title: "ENDS", value: (row) => ago(row.expiresAt, now) },
        ],
        tokens,
        "There is no join token.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "revoke <id>",
      summary: "end a join token; devices that are enrolled stay",
      examples: [["muster token revoke TOKEN", "nobody enrolls with it from now on"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const token = await client.send<TokenResource>("DELETE", `/tokens/${encodeURIComponent(id)}`);
      cli.output.data(token, () => `The join token ${token.id} for ${token.site} is revoked.`);
    },
  );
}
