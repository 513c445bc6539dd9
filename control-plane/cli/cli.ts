import type { Command, OptionValues } from "commander";
import { OperatorClient } from "./client.ts";
import { currentContext } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { Output } from "./output.ts";
import type { Terminal } from "./terminal.ts";

interface LeafSpec {
  /** Name and arguments as commander writes them, e.g. `show <device>`. */
  name: string;
  summary: string;
  /** Command lines to copy, each with a word on what it does. */
  examples: readonly (readonly [line: string, does: string])[];
}

/** What all commands share: the terminal, the output mode and the way to the control plane. */
export class Cli {
  exitCode: number = EXIT.ok;
  readonly terminal: Terminal;
  readonly #program: Command;

  constructor(terminal: Terminal, program: Command) {
    this.terminal = terminal;
    this.#program = program;
  }

  get output(): Output {
    return new Output(this.terminal, this.#program.opts().json === true);
  }

  /** @throws MusterError `request.unauthorized` where nobody has signed in */
  async client(): Promise<OperatorClient> {
    const { url, token } = await currentContext(this.terminal.env);
    return new OperatorClient(url, token);
  }

  /** A group of commands around one noun. */
  group(parent: Command, name: string, summary: string): Command {
    return parent.command(name).description(summary).summary(summary);
  }

  /** A command that does something; its help shows the examples. A number it answers is its exit code. */
  leaf(
    parent: Command,
    { name, summary, examples }: LeafSpec,
    configure: (command: Command) => Command,
    action: (args: readonly string[], options: OptionValues) => Promise<unknown> | unknown,
  ): void {
    const width = Math.max(...examples.map(([line]) => line.length));
    const lines = examples.map(([line, does]) =>
      width + does.length + 6 <= 80 ? `  ${line.padEnd(width)}  # ${does}` : `  # ${does}\n  ${line}`,
    );
    const command = configure(parent.command(name).description(summary).summary(summary));
    command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`).action(async () => {
      const answer = await action(command.args, command.opts());
      this.exitCode = typeof answer === "number" ? answer : EXIT.ok;
    });
  }
}
