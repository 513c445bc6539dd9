import type { Command } from "commander";
import type { StatusResource } from "../../api/schemas/status.ts";
import type { Cli } from "../cli.ts";
import { OperatorClient } from "../client.ts";
import { writeContext } from "../context.ts";

/** `muster login`: chooses the control plane for the commands that follow. */
export function loginCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "login <url>",
      summary: "choose a control plane and sign in",
      examples: [["muster login http://127.0.0.1:8080 --token TOKEN", "as `muster serve` printed it"]],
    },
    (command) => command.requiredOption("--token <token>", "operator token"),
    async ([url = ""], options) => {
      const client = new OperatorClient(url, String(options.token));
      const status = await client.get<StatusResource>("/status");
      const file = await writeContext(cli.terminal.env, {
        url: client.url.href,
        token: String(options.token),
      });
      cli.output.data(
        { url: client.url.href, operator: status.operator, version: status.version, file },
        () => `Signed in to ${client.url.origin} as ${status.operator.name}; kept in ${file}.`,
      );
    },
  );
}
