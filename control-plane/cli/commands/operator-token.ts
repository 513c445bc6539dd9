import type { Command } from "commander";
import type {
  CreatedOperatorToken,
  OperatorTokenList,
  OperatorTokenResource,
} from "../../api/schemas/operators.ts";
import type { Grant } from "../../people/grants.ts";
import type { Cli } from "../cli.ts";
import { collectGrant, GRANT_OPTION, grantsColumn } from "../grant-words.ts";
import { timeSpan } from "../options.ts";
import { ago } from "../words.ts";

const OF = ["--operator <operator>", "of somebody else, by name or id; takes an admin"] as const;

const pathOf = (operator: unknown): string =>
  operator === undefined ? "/my/tokens" : `/operators/${encodeURIComponent(String(operator))}/tokens`;

/** `muster operator token ...`: API tokens, one's own unless told. */
export function operatorTokenCommands(parent: Command, cli: Cli): void {
  const group = cli.group(parent, "token", "API tokens of operators");

  cli.leaf(
    group,
    {
      name: "create <name>",
      summary: "create an API token; it is shown once",
      examples: [
        [
          "muster operator token create ci --grant operator@eu --expires 90d",
          "for a script, no wider than that",
        ],
        ["muster operator token create laptop --operator alice", "another one for Alice"],
      ],
    },
    (command) =>
      command
        .option(...OF)
        .option(...GRANT_OPTION, collectGrant)
        .option("--expires <span>", "when it ends: 12h, 90d; never unless told", timeSpan),
    async ([name = ""], options) => {
      const client = await cli.client();
      const made = await client.send<CreatedOperatorToken>("POST", pathOf(options.operator), {
        name,
        ...(options.grant ? { grants: options.grant as Grant[] } : {}),
        ...(options.expires ? { expiresIn: Math.round(Number(options.expires) / 1000) } : {}),
      });
      cli.output.data(made, () => made.secret);
      const { id, grants, expiresAt } = made.token;
      const end = expiresAt === null ? "It does not end" : `It ends ${ago(expiresAt, cli.terminal.now())}`;
      cli.output.say(`Token ${id}: ${grantsColumn(grants)}. ${end}, and it is not shown again.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list API tokens",
      examples: [["muster operator token list", "one's own, and when each was used"]],
    },
    (command) => command.option(...OF),
    async (_args, options) => {
      const { tokens } = await (await cli.client()).get<OperatorTokenList>(pathOf(options.operator));
      const now = cli.terminal.now();
      cli.output.list(
        tokens,
        [
          { title: "ID", value: (row) => row.id },
          { title: "NAME", value: (row) => row.name },
          { title: "MAY", value: (row) => grantsColumn(row.grants) },
          { title: "STATE", value: (row) => row.state },
          { title: "ENDS", value: (row) => (row.expiresAt === null ? "never" : ago(row.expiresAt, now)) },
          { title: "LAST USED", value: (row) => ago(row.lastUsedAt, now) },
        ],
        tokens,
        "There is no token.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "revoke <token>",
      summary: "end an API token",
      examples: [["muster operator token revoke TOKEN", "by its id; it is refused from now on"]],
    },
    (command) => command.option(...OF),
    async ([token = ""], options) => {
      const client = await cli.client();
      const path = `${pathOf(options.operator)}/${encodeURIComponent(token)}`;
      const revoked = await client.send<OperatorTokenResource>("DELETE", path);
      cli.output.data(revoked, () => `The token ${revoked.name} is revoked.`);
    },
  );
}
