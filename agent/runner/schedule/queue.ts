import { TIERS, type Tier } from "@muster/shared/protocol/serving/tiers";

export interface Waiting {
  readonly tier: Tier;
  /** Monotonic milliseconds; infinite for none. */
  readonly deadlineAt: number;
  /** Where it stands in the order; absent: by its deadline. */
  readonly dueAt?: number;
}

/** Requests without a deadline go before those whose deadline is later than so long after they came, milliseconds. */
const UNHURRIED_MS = 5_000;

/**
 * Place in the order of an entry that came at `at`, monotonic milliseconds. One without a deadline has one too:
 * requests with deadlines that keep coming would go before it for ever.
 */
export const dueOf = (deadlineAt: number, at: number): number =>
  deadlineAt === Number.POSITIVE_INFINITY ? at + UNHURRIED_MS : deadlineAt;

const placeOf = ({ dueAt, deadlineAt }: Waiting): number => dueAt ?? deadlineAt;

/**
 * What waits, in three tiers of bounded length: the more important tier first, within a tier the earliest deadline,
 * among equal deadlines the first that came.
 */
export class TierQueue<E extends Waiting> {
  readonly #limit: number;
  readonly #tiers: Record<Tier, E[]> = { critical: [], standard: [], "best-effort": [] };

  /** @param limit entries of each tier */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return TIERS.reduce((sum, tier) => sum + this.#tiers[tier].length, 0);
  }

  /** In order, most urgent first. */
  tier(tier: Tier): readonly E[] {
    return this.#tiers[tier];
  }

  /** In order, most urgent first. */
  *[Symbol.iterator](): Generator<E> {
    for (const tier of TIERS) yield* this.#tiers[tier];
  }

  /** What would go before a new entry of this tier and deadline, in order. */
  *ahead(next: Waiting): Generator<E> {
    for (const each of TIERS) {
      for (const entry of this.#tiers[each]) {
        if (each === next.tier && placeOf(entry) > placeOf(next)) return;
        yield entry;
      }
      if (each === next.tier) return;
    }
  }

  /** @returns false when its tier is full; nothing is changed then */
  offer(entry: E): boolean {
    const entries = this.#tiers[entry.tier];
    if (entries.length >= this.#limit) return false;
    let place = entries.length;
    while (place > 0 && placeOf(entries[place - 1]!) > placeOf(entry)) place -= 1;
    entries.splice(place, 0, entry);
    return true;
  }

  /** Takes out, in order, every entry that is `unwanted`; the others keep theirs. */
  drop(unwanted: (entry: E) => boolean): E[] {
    const dropped: E[] = [];
    for (const tier of TIERS) {
      const kept: E[] = [];
      for (const entry of this.#tiers[tier]) (unwanted(entry) ? dropped : kept).push(entry);
      this.#tiers[tier] = kept;
    }
    return dropped;
  }
}
