import type { Command } from "commander";
import type { ModelKeyList, ModelKeyResource } from "../../api/schemas/model-keys.ts";
import type { Cli } from "../cli.ts";
import { ago } from "../words.ts";

/** `muster model-key ...` */
export function modelKeyCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "model-key", "keys that models are sealed with; nobody can read one");

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list the keys of sealed models, newest first",
      examples: [["muster model-key list", "which release needs which key, and who holds a lease"]],
    },
    (command) => command,
    async () => {
      const { keys } = await (await cli.client()).get<ModelKeyList>("/model-keys");
      const now = cli.terminal.now();
      cli.output.list(
        keys,
        [
          { title: "KEY", value: (row) => row.id },
          { title: "FOR", value: (row) => row.releases.join(", ") || row.name },
          { title: "LEASES", value: (row) => String(row.leases), right: true },
          { title: "MADE", value: (row) => `${ago(row.createdAt, now)} by ${row.createdBy}` },
          {
            title: "WITHDRAWN",
            value: (row) =>
              row.withdrawn === null ? "" : `${ago(row.withdrawn.at, now)} by ${row.withdrawn.by}`,
          },
        ],
        keys,
        "No model is sealed: `muster release create --seal` seals those of a release.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "withdraw <key>",
      summary: "forget a key for good: no device gets it any more; leases that are out run to their end",
      examples: [["muster model-key withdraw 0f3a...", "for a model that must not run anywhere any more"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const path = `/model-keys/${encodeURIComponent(id)}`;
      const key = await (await cli.client()).send<ModelKeyResource>("DELETE", path);
      cli.output.data(
        key,
        () => `The key ${key.id} is forgotten. ${key.leases} devices hold a lease that runs to its end.`,
      );
    },
  );
}
