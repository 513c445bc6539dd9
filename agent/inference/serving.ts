import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { addTally, emptyTally, type Tally, type TallyEdges } from "./latency.ts";

type Release = InferenceCounters["release"];

/** Releases remembered between two heartbeats; a device without a line switches between two at most. */
const MOST_RELEASES = 8;
/** Releases of one heartbeat; the rest comes with the next. */
const RELEASES_PER_TAKE = 4;

const add = (a: InferenceCounters, b: InferenceCounters): InferenceCounters => ({
  ...a,
  ...addTally(a, b),
  servingMs: a.servingMs + b.servingMs,
  crashes: a.crashes + b.crashes,
  energyMj: a.energyMj === null ? b.energyMj : a.energyMj + (b.energyMj ?? 0),
  ...((a.shadow || b.shadow) && {
    shadow: {
      compared: (a.shadow?.compared ?? 0) + (b.shadow?.compared ?? 0),
      agreed: (a.shadow?.agreed ?? 0) + (b.shadow?.agreed ?? 0),
    },
  }),
});

/**
 * What each release did since it was last taken. Serving time goes to the release that requests go to, and only while
 * its runner is ready; what an old runner still answers after a switch is counted for the old release.
 */
export class ServingCounters {
  readonly #edges: TallyEdges;
  readonly #monotonic: () => number;
  readonly #energyRate: () => number | null;
  /** In the order in which they served; a release that comes back stays at its place. */
  readonly #entries = new Map<Release, InferenceCounters>();
  #serving: { release: Release; since: number } | undefined;

  /**
   * @param monotonic milliseconds that only grow
   * @param energyRate energy of a millisecond of processor time, millijoules; null where nobody can tell
   */
  constructor(edges: TallyEdges, monotonic: () => number, energyRate: () => number | null) {
    this.#edges = edges;
    this.#monotonic = monotonic;
    this.#energyRate = energyRate;
  }

  /** From now on this release is served by a ready runner; undefined when none is. */
  serves(release: Release | undefined): void {
    const { since } = this.#mark() ?? { since: this.#monotonic() };
    this.#serving = release === undefined ? undefined : { release, since };
  }

  count(release: Release, tally: Tally): void {
    const rate = this.#energyRate();
    this.#add({ ...this.#empty(release), ...tally, energyMj: rate === null ? null : tally.cpuMs * rate });
  }

  /** So many inferences were compared with a candidate release, by its digest. */
  shadow(release: Release, compared: number, agreed: number): void {
    this.#add({ ...this.#empty(release), shadow: { compared, agreed } });
  }

  /** The runner of this release crashed or hung. */
  crashed(release: Release): void {
    this.#add({ ...this.#empty(release), crashes: 1 });
  }

  /** The sums since the last call, one entry for each release, at most 4; older releases first. */
  take(): InferenceCounters[] {
    this.#mark();
    const taken = [...this.#entries.values()].slice(0, RELEASES_PER_TAKE);
    for (const { release } of taken) this.#entries.delete(release);
    return taken.map((entry) => ({
      ...entry,
      energyMj: entry.energyMj === null ? null : Math.round(entry.energyMj),
    }));
  }

  /** Books the time up to now; whole milliseconds, the rest waits for the next time. */
  #mark(): { since: number } | undefined {
    const serving = this.#serving;
    if (!serving) return undefined;
    const servingMs = Math.max(0, Math.floor(this.#monotonic() - serving.since));
    serving.since += servingMs;
    if (servingMs > 0) this.#add({ ...this.#empty(serving.release), servingMs });
    return serving;
  }

  #add(entry: InferenceCounters): void {
    const known = this.#entries.get(entry.release);
    this.#entries.set(entry.release, known ? add(known, entry) : entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_RELEASES && oldest !== undefined) this.#entries.delete(oldest);
  }

  #empty(release: Release): InferenceCounters {
    return { release, servingMs: 0, crashes: 0, energyMj: null, ...emptyTally(this.#edges) };
  }
}
