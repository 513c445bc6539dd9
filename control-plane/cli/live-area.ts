import type { Terminal } from "./terminal.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences take no room on the screen
const visible = (line: string): number => line.replaceAll(/\u001b\[\d+m/g, "").length;

/** Lines at the end of a terminal that are drawn again and again in the same place; what is told stays above. */
export class LiveArea {
  readonly #stdout: Terminal["stdout"];
  #height = 0;

  constructor(stdout: Terminal["stdout"]) {
    this.#stdout = stdout;
  }

  /** Writes `told` for good, then the lines in place of those drawn before, as many as the screen holds. */
  draw(told: readonly string[], lines: readonly string[]): void {
    // A terminal that does not know its size says 0.
    const width = this.#stdout.columns || 80;
    const room = Math.max(2, (this.#stdout.rows || 24) - 1);
    const shown: string[] = [];
    let height = 0;
    for (const line of lines) {
      const rows = Math.max(1, Math.ceil(visible(line) / width));
      if (height + rows > room) break;
      shown.push(line);
      height += rows;
    }
    const back = this.#height > 0 ? `\u001b[${this.#height}A\u001b[J` : "";
    this.#stdout.write(`${back}${[...told, ...shown].map((line) => `${line}\n`).join("")}`);
    this.#height = height;
  }
}
