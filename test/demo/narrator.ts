/** Tells the story in plain words, with the seconds since it began. */
export class Narrator {
  readonly #started: number;
  readonly #now: () => number;
  readonly #write: (line: string) => void;

  constructor(now: () => number, write: (line: string) => void) {
    this.#now = now;
    this.#started = now();
    this.#write = write;
  }

  chapter(title: string): void {
    this.#write(`\n${title}`);
  }

  say(sentence: string): void {
    const seconds = ((this.#now() - this.#started) / 1000).toFixed(0).padStart(4);
    this.#write(`${seconds} s  ${sentence}`);
  }
}
