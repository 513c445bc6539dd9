import { type Column, table } from "./table.ts";
import { painter, type Style, type Terminal } from "./terminal.ts";

/** Data goes to stdout, talk to stderr: `muster ... --json | jq` always works. */
export class Output {
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly paint: (style: Style, text: string) => string;

  constructor(terminal: Terminal, json: boolean) {
    this.terminal = terminal;
    this.json = json;
    this.paint = painter(terminal);
  }

  /** One JSON document with `--json`; else what `people` writes for people. */
  data(value: unknown, people: () => string): void {
    const text = this.json ? `${JSON.stringify(value, undefined, 2)}\n` : people();
    this.terminal.stdout.write(text.endsWith("\n") || text === "" ? text : `${text}\n`);
  }

  /** As `data`, but the document is on one line: a process that goes on running is read line by line. */
  ready(value: unknown, people: () => string): void {
    this.terminal.stdout.write(`${this.json ? JSON.stringify(value) : people()}\n`);
  }

  /** A table that fits the terminal, or a sentence where there is nothing to list. */
  list<Row>(value: unknown, columns: readonly Column<Row>[], rows: readonly Row[], nothing: string): void {
    if (rows.length === 0 && !this.json) this.say(nothing);
    else this.data(value, () => table(columns, rows, this.width));
  }

  /** Columns of the terminal; undefined where lines must not be cut. */
  get width(): number | undefined {
    return this.terminal.stdout.isTTY ? this.terminal.stdout.columns || 80 : undefined;
  }

  say(text: string): void {
    this.terminal.stderr.write(`${text}\n`);
  }

  /** Progress on one line that is overwritten; nothing where stderr is no terminal. */
  progress(text: string): void {
    if (this.terminal.stderr.isTTY) this.terminal.stderr.write(`\r\u001b[K${text}`);
  }

  /** Takes the progress line away. */
  progressDone(): void {
    this.progress("");
  }
}
