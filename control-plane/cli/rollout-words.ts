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

/** What the devices of a wave are at, without what is zero. */
export function countsText(counts: Counts): string {
  const named: [number, string][] = [
    [counts.failed, "failed"],
    [counts.pending, "at work"],
    [counts.retrying, "tried again"],
    [counts.silent, "silent"],
    [counts.offline, "offline"],
    [counts.waiting, "waiting"],
    [counts.returning, "going back"],
    [counts.returned, "back"],
    [counts.returnFailed, "not back"],
    [counts.released, "released"],
    [counts.held, "held"],
    [counts.superseded, "superseded"],
    [counts.skipped, "skipped"],
  ];
  const rest = named.filter(([count]) => count > 0).map(([count, name]) => `, ${count} ${name}`);
  return `${counts.succeeded}/${counts.total} succeeded${rest.join("")}`;
}
