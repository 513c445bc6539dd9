import { MusterError } from "@muster/shared/errors";
import { formatJoinToken } from "@muster/shared/trust/join-token";
import type { Command } from "commander";
import type { StatusResource } from "../../api/schemas/status.ts";
import type { CreatedToken, TokenList, TokenResource } from "../../api/schemas/tokens.ts";
import { readRoot } from "../../trust/offline-keys.ts";
import type { Cli } from "../cli.ts";
import { keysDirectory } from "../context.ts";
import { KEYS_OPTION, rootPin } from "../keys.ts";
import { collectLabel, positiveNumber, timeSpan } from "../options.ts";
import { ago } from "../words.ts";

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
      ],
    },
    (command) =>
      command
        .requiredOption("--site <path>", "site of the devices, e.g. eu/berlin")
        .option("--uses <n>", "how many devices may enroll with it", positiveNumber, 1)
        .option("--expires <span>", "until when: 90s, 30m, 12h or 7d", timeSpan, DAY)
        .option("--label <key=value>", "label of the devices; may be repeated", collectLabel)
        .option(...KEYS_OPTION),
    async (_args, options) => {
      const client = await cli.client();
      const pin = await localRootPin(cli, options.keys);
      const created = await client.send<CreatedToken>("POST", "/tokens", {
        site: options.site,
        uses: options.uses,
        expiresIn: Math.round(Number(options.expires) / 1000),
        ...(options.label ? { labels: options.label } : {}),
      });
      const { deviceUrl } = await client.get<StatusResource>("/status");
      const token = formatJoinToken({ ...created, rootPin: pin });
      const run = `muster-agent run --server ${deviceUrl} --token ${token}`;
      cli.output.data({ ...created, secret: undefined, rootPin: pin, token, run }, () => token);
      cli.output.say(
        [
          `For ${created.uses} ${created.uses === 1 ? "device" : "devices"} at ${created.site}, ends ${ago(created.expiresAt, cli.terminal.now())}. It is not shown again. On the box:`,
          `  ${run}`,
          ...(pin === null
            ? ["It pins no trust root, so the device trusts the first one it sees: better pass --keys DIR."]
            : []),
        ].join("\n"),
      );
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

/** Pin of the operator's own copy of the root: what the server says about itself would prove nothing. */
async function localRootPin(cli: Cli, option: unknown): Promise<string | null> {
  const dir = await keysDirectory(cli.terminal.env, typeof option === "string" ? option : undefined);
  const root = dir === undefined ? null : await readRoot(dir);
  if (root === null && option !== undefined)
    throw new MusterError("trust.key-missing", `There is no root.json in ${dir}: run \`muster trust init\`.`);
  return root === null ? null : rootPin(root);
}
