import type { RolloutFacts } from "./facts.ts";

/** Situations of devices: how each is drawn in the bar and named in words. */
const SITUATIONS: readonly (readonly [situation: string, cell: string, words: string])[] = [
  ["succeeded", "█", "done"],
  ["pending", "▒", "at work"],
  ["silent", "▒", "silent"],
  ["failed", "✗", "failed"],
  ["returning", "↩", "going back"],
  ["returned", "↩", "back"],
  ["waiting", "·", "not told yet"],
  ["offline", "·", "offline"],
  ["skipped", "·", "untouched"],
];

/** One line on a rollout: where it is, a bar with a cell per device, and the counts that are not zero. */
export function progressLine({ counts, state, wave, waves }: RolloutFacts): string {
  const place = state === "running" && wave !== null ? `wave ${wave} of ${waves}` : state;
  const there = SITUATIONS.map(([situation, cell, words]) => ({
    cell,
    words: situation === "waiting" && state !== "running" ? "untouched" : words,
    count: counts[situation] ?? 0,
  })).filter(({ count }) => count > 0);
  const bar = there.map(({ cell, count }) => cell.repeat(count)).join("");
  return `${place.padEnd(11)}  ${bar}  ${there.map(({ count, words }) => `${count} ${words}`).join(", ")}`;
}
