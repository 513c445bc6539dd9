import { TIERS, type Tier } from "@muster/shared/protocol/serving/tiers";

export interface Waiting {
  readonly tier: Tier;
  /** Monotonic milliseconds; infinite for none. */
  readonly deadlineAt: number;
}

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
  *ahead({ tier, deadlineAt }: Waiting): Generator<E> {
    for (const each of TIERS) {
      for (const entry of this.#tiers[each]) {
        if (each === tier && entry.deadlineAt > deadlineAt) return;
        yield entry;
      }
      if (each === tier) return;
    }
  }

  /** @returns false when its tier is full; nothing is changed then */
  offer(entry: E): boolean {
    const entries = this.#tiers[entry.tier];
    if (entries.length >= this.#limit) return false;
    let place = entries.length;
    while (place > 0 && entries[place - 1]!.deadlineAt > entry.deadlineAt) place -= 1;
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
