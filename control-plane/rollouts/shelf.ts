import { setImmediate as turn } from "node:timers/promises";
import type { Stores } from "../storage/database.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { LoadedRollout } from "./loaded.ts";
import type { DeviceRecord } from "./model.ts";
import { readRecords, readRollout } from "./store.ts";

/** Devices read before the event loop gets its turn. */
const RECORDS_AT_ONCE = 500;

/** The copies of the rollouts that are under way. */
export class RolloutShelf {
  readonly #stores: Pick<Stores, "writeControl">;
  #loaded = new Map<string, LoadedRollout>();
  readonly #stale = new Set<string>();

  constructor(stores: Pick<Stores, "writeControl">) {
    this.#stores = stores;
  }

  /** Undefined also for a copy that is known to be old. */
  get(rollout: string): LoadedRollout | undefined {
    return this.#stale.has(rollout) ? undefined : this.#loaded.get(rollout);
  }

  /** Old copies too: what they hold of devices is nearer to the truth for the others than nothing. */
  all(): LoadedRollout[] {
    return [...this.#loaded.values()];
  }

  /** Has it read anew the next time. */
  forget(rollout: string): void {
    this.#stale.add(rollout);
  }

  clear(): void {
    this.#loaded.clear();
    this.#stale.clear();
  }

  /** Keeps these rollouts and no other ones, reading what is not known or was changed by somebody else. */
  async bringUpToDate(rows: readonly RolloutsTable[]): Promise<void> {
    const loaded = new Map<string, LoadedRollout>();
    for (const row of rows) {
      const known = this.#loaded.get(row.id);
      const current = !this.#stale.has(row.id) && known?.follow(row);
      loaded.set(row.id, known && current ? known : await this.#read(row, known));
    }
    this.#loaded = loaded;
    this.#stale.clear();
  }

  /** A decision checks the revisions again: what changes while this reads, it finds out then. */
  async #read(row: RolloutsTable, former: LoadedRollout | undefined): Promise<LoadedRollout> {
    const { writeControl } = this.#stores;
    const rollout = await writeControl((db) => readRollout(db, row));
    const devices: DeviceRecord[] = [];
    for (let after: number | undefined = -1; after !== undefined; ) {
      const from: number = after;
      const page = await writeControl((db) => readRecords(db, row, from, RECORDS_AT_ONCE));
      devices.push(...page.records);
      after = page.last;
      if (after !== undefined) await turn();
    }
    const copy = new LoadedRollout({ ...rollout, devices }, row);
    if (former) copy.joinersAt = former.joinersAt;
    return copy;
  }
}
