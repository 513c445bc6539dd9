import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(import.meta.resolve("@muster/control-plane/main"));

/** What a command line of `muster` answered. */
export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** An operator at a terminal: runs the real `muster` command line with a context of its own. */
export class Operator {
  readonly #env: Record<string, string | undefined>;

  constructor(home: string, url: string, token: string) {
    this.#env = {
      ...process.env,
      HOME: home,
      XDG_CONFIG_HOME: `${home}/.config`,
      MUSTER_URL: url,
      MUSTER_TOKEN: token,
      NO_COLOR: "1",
    };
  }

  run(...args: string[]): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [CLI, ...args],
        { env: this.#env, maxBuffer: 64 * 1024 ** 2 },
        (error, stdout, stderr) => resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  /** Runs a command with --json and answers its document. @throws Error with what the command said */
  async json<T>(...args: string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.run(...args, "--json");
    if (exitCode !== 0) throw new Error(`muster ${args.join(" ")}: exit ${exitCode}: ${stderr || stdout}`);
    return JSON.parse(stdout) as T;
  }
}
