import type { Readable } from "node:stream";

/** Longer lines are cut, characters. */
const MAX_LINE = 2000;
/** Lines that are told in each window; the rest is counted. */
const MAX_LINES = 100;
const WINDOW_MS = 10_000;

/**
 * Tells each line of a stream, within limits: native libraries can print without end.
 * @param now milliseconds that only grow
 */
export function forwardLines(stream: Readable, tell: (line: string) => void, now: () => number): void {
  let partial = "";
  let windowStart = now();
  let told = 0;
  let leftOut = 0;
  const take = (line: string) => {
    if (now() - windowStart >= WINDOW_MS) {
      if (leftOut > 0) tell(`(${leftOut} more lines were left out)`);
      windowStart = now();
      told = 0;
      leftOut = 0;
    }
    if (told < MAX_LINES) tell(line);
    else leftOut += 1;
    told += 1;
  };
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (partial + text).split("\n");
    partial = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) if (line.trim() !== "") take(line.slice(0, MAX_LINE));
  });
  stream.on("end", () => {
    if (partial.trim() !== "") take(partial);
  });
}
