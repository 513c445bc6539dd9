import { asMusterError, MusterError } from "@muster/shared/errors";
import { Command, CommanderError } from "commander";
import { VERSION } from "../version.ts";
import { Cli } from "./cli.ts";
import { alertCommands } from "./commands/alert.ts";
import { approvalCommands } from "./commands/approval.ts";
import { attestationCommands } from "./commands/attestation.ts";
import { auditCommands } from "./commands/audit.ts";
import { deviceCommands } from "./commands/device.ts";
import { driftCommands } from "./commands/drift.ts";
import { exampleCommands } from "./commands/example.ts";
import { explainCommand } from "./commands/explain.ts";
import { freezeCommands } from "./commands/freeze.ts";
import { groupCommands } from "./commands/group.ts";
import { healthCommands } from "./commands/health.ts";
import { keysCommands } from "./commands/keys.ts";
import { loginCommand } from "./commands/login.ts";
import { modelKeyCommands } from "./commands/model-key.ts";
import { operatorCommands } from "./commands/operator.ts";
import { powerCommands } from "./commands/power.ts";
import { referenceCommands } from "./commands/reference.ts";
import { releaseCommands } from "./commands/release.ts";
import { rolloutCommands } from "./commands/rollout.ts";
import { secretCommands } from "./commands/secret.ts";
import { serveCommand } from "./commands/serve.ts";
import { siteCommands } from "./commands/site.ts";
import { statusCommand } from "./commands/status.ts";
import { tokenCommands } from "./commands/token.ts";
import { trustCommands } from "./commands/trust.ts";
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from "./exit-codes.ts";
import { printable, type Terminal } from "./terminal.ts";

const OVERVIEW = `
A first time through:
  muster serve                                        # says the operator token
  muster login http://127.0.0.1:8080 --token TOKEN
  muster keys init --keys ./keys                      # offline keys
  muster trust init --keys ./keys
  muster token create --site eu/berlin --keys ./keys  # says what to run there
  muster release create -f release.json --keys ./keys
  muster rollout create -f rollout.json --start
  muster rollout status ROLLOUT --watch

Environment:
  MUSTER_URL, MUSTER_TOKEN  go before what \`muster login\` stored
  MUSTER_KEYS               directory of the offline keys
  NO_COLOR                  no colours`;

/** The whole command line; separate from running it so that a test can walk it. */
export function buildProgram(terminal: Terminal): { program: Command; cli: Cli } {
  const program = new Command("muster");
  program
    .description("Runs AI models on unattended edge boxes and changes what runs there safely.")
    .version(VERSION, "--version", "say the version")
    .option("--json", "one JSON document on stdout, for scripts")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      // It is told like every other error, by `runCli`.
      outputError: () => {},
    })
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: 80,
      // Options of a command in between are its own: `health --site` means nothing to `health device`.
      visibleGlobalOptions: () => [...program.options],
    })
    .addHelpText("after", `${OVERVIEW}\n${EXIT_CODES_HELP}`);
  const cli = new Cli(terminal, program);
  serveCommand(program, cli);
  loginCommand(program, cli);
  statusCommand(program, cli);
  healthCommands(program, cli);
  driftCommands(program, cli);
  exampleCommands(program, cli);
  keysCommands(program, cli);
  trustCommands(program, cli);
  tokenCommands(program, cli);
  deviceCommands(program, cli);
  attestationCommands(program, cli);
  referenceCommands(program, cli);
  siteCommands(program, cli);
  groupCommands(program, cli);
  releaseCommands(program, cli);
  modelKeyCommands(program, cli);
  rolloutCommands(program, cli);
  approvalCommands(program, cli);
  freezeCommands(program, cli);
  powerCommands(program, cli);
  alertCommands(program, cli);
  operatorCommands(program, cli);
  secretCommands(program, cli);
  auditCommands(program, cli);
  explainCommand(program, cli);
  return { program, cli };
}

/** Runs one command line (without node and script) and answers its exit code; failures are told on stderr. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { program, cli } = buildProgram(terminal);
  // A reader that has seen enough (`muster ... | head`) is no failure.
  terminal.stdout.on?.("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && !error.message.startsWith("error: "))
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const told = error instanceof CommanderError ? wrongUsage(error) : error;
    const { code, message, remedy, retryable } = asMusterError(told);
    if (cli.output.json)
      terminal.stderr.write(`${JSON.stringify({ error: { code, message, remedy, retryable } })}\n`);
    else terminal.stderr.write(`muster: ${printable(message)}\n  code:   ${code}\n  remedy: ${remedy}\n`);
    return exitCodeOf(told);
  }
}

/** Commander says `error: unknown option '--x'`, and what may have been meant on a line of its own. */
function wrongUsage({ message }: CommanderError): MusterError {
  const [, first = "", rest = ""] = /^error: (.)(.*)$/s.exec(message) ?? [];
  const [sentence = "", ...hints] = rest.split("\n");
  const stop = sentence.endsWith(".") ? "" : ".";
  return new MusterError(
    "settings.invalid",
    [`${first.toUpperCase()}${sentence}${stop}`, ...hints].join(" "),
  );
}
