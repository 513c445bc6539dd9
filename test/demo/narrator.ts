import { LiveArea } from "@muster/control-plane/cli/live-area";

type Stdout = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns" | "rows">;

/**
 * Tells the story in plain words, with the seconds since it began. What is under way is one line that a terminal
 * shows in place; elsewhere it is a line of its own whenever it changes.
 */
export class Narrator {
  readonly #started: number;
  readonly #now: () => number;
  readonly #stdout: Stdout;
  readonly #area: LiveArea | undefined;
  #underWay: string | undefined;

  constructor(now: () => number, stdout: Stdout) {
    this.#now = now;
    this.#started = now();
    this.#stdout = stdout;
    this.#area = stdout.isTTY ? new LiveArea(stdout) : undefined;
  }

  chapter(title: string): void {
    this.#tell([`\n${title}`]);
  }

  /** Says something for good, below what was under way so far. */
  say(sentence: string): void {
    this.#tell([this.#timed(sentence)]);
  }

  /** Lines as they are, without a time. */
  print(...lines: readonly string[]): void {
    this.#tell(lines);
  }

  /** Shows what is under way, in place of what was shown before. */
  progress(sentence: string): void {
    if (this.#area) this.#area.draw([], [this.#timed(sentence)]);
    else if (sentence !== this.#underWay) this.#stdout.write(`${this.#timed(sentence)}\n`);
    this.#underWay = sentence;
  }

  /** What is under way has ended: its line stays. */
  keep(): void {
    if (this.#area && this.#underWay !== undefined) this.#area.draw([this.#timed(this.#underWay)], []);
    this.#underWay = undefined;
  }

  #tell(lines: readonly string[]): void {
    if (this.#area) this.#area.draw(lines, []);
    else this.#stdout.write(lines.map((line) => `${line}\n`).join(""));
    this.#underWay = undefined;
  }

  #timed(sentence: string): string {
    return `${((this.#now() - this.#started) / 1000).toFixed(0).padStart(4)} s  ${sentence}`;
  }
}
