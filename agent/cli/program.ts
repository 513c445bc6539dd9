import { Command, CommanderError } from "commander";
import { loadSettings } from "../config/load.ts";
import { SETTINGS, type SettingName } from "../config/settings.ts";
import { AGENT_VERSION } from "../version.ts";
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from "./exit-codes.ts";
import { addSettings } from "./settings-options.ts";
import { showError, type Terminal } from "./terminal.ts";

const ALL = Object.keys(SETTINGS) as SettingName[];
const FOR_ENROLLMENT: readonly SettingName[] = [
  "data",
  "server",
  "token",
  "name",
  "labels",
  "httpTimeoutSeconds",
  "tpm",
];

const EXAMPLES = `
Examples:
  muster-agent enroll --server https://fleet.example:8443 --token muster1....
  muster-agent run --data /var/lib/muster-agent
  muster-agent run --server https://fleet.example:8443 --token muster1.... --name press-7
  muster-agent status --json`;

/**
 * Runs one command line of `muster-agent`. What a command needs is loaded when it runs.
 * @returns the exit code
 */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command("muster-agent")
    .description("Runs AI models on this box and changes them safely on word of the control plane.")
    .version(AGENT_VERSION)
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .addHelpText("after", `${EXAMPLES}\n${EXIT_CODES_HELP}`)
    .exitOverride();
  const settingsOf = (command: Command) => loadSettings(command.opts(), terminal.env);

  const enroll = addSettings(program.command("enroll"), FOR_ENROLLMENT)
    .description("Make this box a device of a fleet. Repeating it with the same token changes nothing.")
    .action(async () => {
      const { enroll: run } = await import("./enroll.ts");
      code = await run(settingsOf(enroll), terminal);
    });
  const run = addSettings(program.command("run"), ALL)
    .description("Run the agent. With a join token it enrolls first, if it has not yet.")
    .action(async () => {
      const { runAgent } = await import("./run.ts");
      code = await runAgent(settingsOf(run));
    });
  const status = addSettings(program.command("status"), ["data"])
    .option("--json", "print JSON")
    .description("Show how the agent that runs here is.")
    .action(async () => {
      const { status: show } = await import("./status.ts");
      code = await show(settingsOf(status), status.opts().json === true, terminal);
    });

  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    showError(terminal, error);
    return exitCodeOf(error);
  }
}
