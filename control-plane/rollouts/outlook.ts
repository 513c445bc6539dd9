import type { HoldReason } from "./admission/admit.ts";
import type { GateView } from "./gate/views.ts";

/** What the last tick of this process saw of a rollout; it is shown and decides nothing. */
export interface Prospect {
  /** Gate of the open wave. */
  gate: GateView | null;
  /** Why devices that may be told are not told just now. */
  held: ReadonlyMap<string, HoldReason>;
}

const NOTHING: Prospect = { gate: null, held: new Map() };

/** What the ticks of this process saw last. */
export class Outlook {
  readonly #prospects = new Map<string, Prospect>();

  of(rollout: string): Prospect {
    return this.#prospects.get(rollout) ?? NOTHING;
  }

  set(rollout: string, prospect: Prospect): void {
    this.#prospects.set(rollout, prospect);
  }

  /** Forgets every rollout but these. */
  keep(rollouts: ReadonlySet<string>): void {
    for (const id of this.#prospects.keys()) if (!rollouts.has(id)) this.#prospects.delete(id);
  }
}
