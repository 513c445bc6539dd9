import { resolve } from "node:path";
import type { Command } from "commander";
import { initKeys } from "../../trust/offline-keys.ts";
import type { Cli } from "../cli.ts";
import { rememberKeys } from "../context.ts";

/** `muster keys ...`: keys that never reach a server. */
export function keysCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "keys", "offline keys that sign releases; they never reach a server");
  cli.leaf(
    group,
    {
      name: "init",
      summary: "make the root and targets keys in a directory of yours",
      examples: [["muster keys init --keys ./keys", "make them once; keep a copy in a safe place"]],
    },
    (command) => command.requiredOption("--keys <dir>", "directory to make them in"),
    async (_args, options) => {
      const dir = resolve(String(options.keys));
      const keys = await initKeys(dir);
      await rememberKeys(cli.terminal.env, dir);
      const made = { keys: dir, root: keys.root.publicKey, targets: keys.targets.publicKey };
      cli.output.data(made, () => `Made ${dir}/root.key and ${dir}/targets.key.`);
      cli.output.say(
        "Whoever has these files can sign releases; who loses them can sign none. Next: muster trust init",
      );
    },
  );
}
