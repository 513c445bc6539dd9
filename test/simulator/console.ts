import type { Observation } from "./scenario/expect.ts";
import type { SwarmCounts } from "./swarm.ts";

/** Shortest time between two lines where the terminal cannot overwrite one, milliseconds. */
const LINE_MS = 5_000;

/** Tells people how the simulation goes, on stderr: a line in place on a terminal, one now and then elsewhere. */
export class Console {
  readonly #stream: NodeJS.WriteStream;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isOpen = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** A line that stays. */
  say(words: string): void {
    this.#stream.write(`${this.#isOpen ? "\r\x1b[K" : ""}${words}\n`);
    this.#isOpen = false;
  }

  /** A line that the next one replaces. */
  live(words: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[K${words.slice(0, this.#stream.columns - 1)}`);
      this.#isOpen = true;
    } else if (performance.now() - this.#writtenAt >= LINE_MS) {
      this.#writtenAt = performance.now();
      this.#stream.write(`${words}\n`);
    }
  }
}

/** @param seconds since all were online, negative before */
export function liveLine(seconds: number, counts: SwarmCounts, seen: Observation | undefined): string {
  const { devices, online, produced, acknowledged, crashes } = counts;
  const parts = [
    seconds < 0 ? "connecting" : `${Math.round(seconds)} s`,
    `${online}/${devices} online`,
    `${acknowledged}/${produced} records`,
    ...(crashes > 0 ? [`${crashes} crashes`] : []),
    ...[...(seen?.rollouts ?? [])].map(([name, { state }]) => `${name} ${state}`),
    ...(seconds >= 0 && !seen ? ["control plane is away"] : []),
  ];
  return parts.join("  ");
}
