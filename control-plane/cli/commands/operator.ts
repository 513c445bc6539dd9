import { existsSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { Name } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Command } from "commander";
import type { CreatedOperator, OperatorList, OperatorResource } from "../../api/schemas/operators.ts";
import type { Cli } from "../cli.ts";
import { ago } from "../words.ts";

/** `muster operator ...`: who may use the operator API. */
export function operatorCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "operator", "people and scripts that may use the API");

  cli.leaf(
    group,
    {
      name: "create <name>",
      summary: "create an operator; the token is shown once",
      examples: [
        ["muster operator create alice", "give the printed token to Alice"],
        ["muster operator create me --data /var/lib/muster", "on its machine, when all tokens are lost"],
      ],
    },
    (command) => command.option("--data <dir>", "write to this data directory instead of asking the API"),
    async ([name = ""], options) => {
      const made =
        options.data === undefined
          ? await (await cli.client()).send<CreatedOperator>("POST", "/operators", { name })
          : await createInData(String(options.data), name);
      cli.output.data(made, () => made.token);
      cli.output.say(`Operator ${made.operator.name} is ${made.operator.id}. The token is not shown again.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list operators",
      examples: [["muster operator list", "who has a token, and when it was used"]],
    },
    (command) => command,
    async () => {
      const { operators } = await (await cli.client()).get<OperatorList>("/operators");
      const now = cli.terminal.now();
      cli.output.list(
        operators,
        [
          { title: "ID", value: (row) => row.id },
          { title: "NAME", value: (row) => row.name },
          { title: "CREATED", value: (row) => ago(row.createdAt, now) },
          { title: "LAST USED", value: (row) => ago(row.lastUsedAt, now) },
          { title: "STATE", value: (row) => (row.revokedAt === null ? "active" : "revoked") },
        ],
        operators,
        "There is no operator.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "revoke <id>",
      summary: "end an operator's token",
      examples: [["muster operator revoke OPERATOR", "the token is refused from now on"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const operator = await client.send<OperatorResource>("DELETE", `/operators/${encodeURIComponent(id)}`);
      cli.output.data(operator, () => `The token of ${operator.name} is revoked.`);
    },
  );
}

/** @throws MusterError `settings.invalid` where no control plane keeps its data, or for a name that is none */
async function createInData(dir: string, name: string): Promise<CreatedOperator> {
  if (!existsSync(join(dir, "control.db")))
    throw new MusterError("settings.invalid", `No control plane keeps its data in ${dir}.`);
  const { openStores } = await import("../../storage/database.ts");
  const { Operators } = await import("../../api/operators.ts");
  const stores = await openStores(dir);
  try {
    return await new Operators(stores.control).create(validate(Name, name, "settings.invalid"));
  } finally {
    await stores.close();
  }
}
