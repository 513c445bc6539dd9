import type { RolloutResource } from "../api/schemas/rollouts.ts";
import { EXIT } from "./exit-codes.ts";

type State = RolloutResource["state"];
type Counts = RolloutResource["waveList"][number]["counts"];

/** States in which nothing more happens by itself. */
export const isOver = (state: State): boolean =>
  ["completed", "aborted", "reverted", "paused"].includes(state);

/** 3 where the rollout was stopped by its gate or turned back; 0 otherwise. */
export function healthOf({ state, gate }: RolloutResource): number {
  if (["aborting", "aborted", "reverting", "reverted"].includes(state)) return EXIT.unhealthy;
  const stopped = state === "paused" && gate !== null && gate.verdict !== "met" && gate.waitingFor === null;
  return stopped ? EXIT.unhealthy : EXIT.ok;
}

/** Where a device of a rollout is, as people say it, in the order in which it is said. */
export const SITUATION_WORDS: Readonly<Record<keyof Omit<Counts, "total">, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  pending: "at work",
  retrying: "to be tried again",
  silent: "silent",
  offline: "offline",
  withheld: "withheld",
  waiting: "waiting",
  returning: "going back",
  returned: "back",
  returnFailed: "not back",
  released: "released",
  held: "late, held",
  superseded: "superseded",
  skipped: "skipped",
};

/** What the devices of a wave are at, without what is zero. */
export function countsText(counts: Counts): string {
  const { succeeded: _first, ...others } = SITUATION_WORDS;
  const rest = Object.entries(others).flatMap(([situation, word]) => {
    const count = counts[situation as keyof Counts];
    return count > 0 ? [`, ${count} ${word}`] : [];
  });
  return `${counts.succeeded}/${counts.total} succeeded${rest.join("")}`;
}
