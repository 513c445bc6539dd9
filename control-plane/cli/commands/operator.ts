import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { Name } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Command } from "commander";
import type { CreatedOperator, OperatorList, OperatorResource } from "../../api/schemas/operators.ts";
import { type Grant, grantsText } from "../../people/grants.ts";
import type { Cli } from "../cli.ts";
import { collectGrant, GRANT_OPTION, grantsColumn } from "../grant-words.ts";
import { ago } from "../words.ts";
import { operatorTokenCommands } from "./operator-token.ts";

/** `muster operator ...`: who may use the operator API, and what for. */
export function operatorCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "operator", "people and scripts that may use the API");
  createCommand(group, cli);
  listCommand(group, cli);

  cli.leaf(
    group,
    {
      name: "grant <operator>",
      summary: "give an operator other roles; what he had before is gone",
      examples: [
        ["muster operator grant alice --grant operator@eu/de --grant viewer@*", "runs one country, sees all"],
      ],
    },
    (command) => command.requiredOption(...GRANT_OPTION, collectGrant),
    async ([reference = ""], options) => {
      const client = await cli.client();
      const operator = await client.send<OperatorResource>(
        "PATCH",
        `/operators/${encodeURIComponent(reference)}`,
        { grants: options.grant as Grant[] },
      );
      cli.output.data(operator, () => `${operator.name} is ${grantsText(operator.grants)} from now on.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "revoke <operator>",
      summary: "end an operator with all tokens and sessions",
      examples: [["muster operator revoke alice", "every token is refused from now on"]],
    },
    (command) => command,
    async ([reference = ""]) => {
      const client = await cli.client();
      const path = `/operators/${encodeURIComponent(reference)}`;
      const operator = await client.send<OperatorResource>("DELETE", path);
      cli.output.data(operator, () => `The token of ${operator.name} is revoked.`);
    },
  );

  operatorTokenCommands(group, cli);
}

function createCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "create <name>",
      summary: "create an operator; the token is shown once",
      examples: [
        ["muster operator create alice", "an admin: give the printed token to Alice"],
        ["muster operator create berlin --grant operator@eu/de/berlin", "sees and changes Berlin alone"],
        ["muster operator create me --data /var/lib/muster", "on its machine, when all tokens are lost"],
      ],
    },
    (command) =>
      command
        .option(...GRANT_OPTION, collectGrant)
        .option("--data <dir>", "write to this data directory instead of asking the API"),
    async ([name = ""], options) => {
      const grants = options.grant as Grant[] | undefined;
      const order = { name, ...(grants ? { grants } : {}) };
      const made =
        options.data === undefined
          ? await (await cli.client()).send<CreatedOperator>("POST", "/operators", order)
          : await createInData(String(options.data), name, grants);
      cli.output.data(made, () => made.token);
      const { id, grants: given } = made.operator;
      cli.output.say(
        `Operator ${made.operator.name} is ${id}: ${grantsText(given)}. The token is not shown again.`,
      );
    },
  );
}

function listCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "list",
      summary: "list operators",
      examples: [["muster operator list", "who may do what, and when he last did"]],
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
          { title: "MAY", value: (row) => grantsColumn(row.grants) },
          { title: "CREATED", value: (row) => ago(row.createdAt, now) },
          { title: "LAST USED", value: (row) => ago(row.lastUsedAt, now) },
          { title: "STATE", value: (row) => (row.revokedAt === null ? "active" : "revoked") },
        ],
        operators,
        "There is no operator.",
      );
    },
  );
}

/** @throws MusterError `settings.invalid` where no control plane keeps its data, or for a name that is none */
async function createInData(dir: string, name: string, grants?: Grant[]): Promise<CreatedOperator> {
  if (!existsSync(join(dir, "control.db")))
    throw new MusterError("settings.invalid", `No control plane keeps its data in ${dir}.`);
  const { openStores } = await import("../../storage/database.ts");
  const { Operators } = await import("../../people/operators.ts");
  const { AuditLog } = await import("../../audit/audit-log.ts");
  const { actAs } = await import("../../audit/acting.ts");
  const stores = await openStores(dir);
  try {
    const onError = (error: unknown): never => {
      throw error;
    };
    const audit = await AuditLog.open({ stores, dataDir: dir, clock: Date.now, onError });
    const operators = new Operators(stores.control);
    const here = { kind: "operator", id: "local", name: `${userHere()} at its machine` } as const;
    const made = await actAs(here, () => operators.create(validate(Name, name, "settings.invalid"), grants));
    await audit.close();
    return made;
  } finally {
    await stores.close();
  }
}

function userHere(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run under ids that no user list knows.
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}
