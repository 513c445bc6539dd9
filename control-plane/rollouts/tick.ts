import { setImmediate as turn } from "node:timers/promises";
import { asMusterError } from "@muster/shared/errors";
import type { Directory } from "../fleet/directory.ts";
import type { Stores } from "../storage/database.ts";
import type { Freeze } from "./admission/freeze.ts";
import type { DecisionLimits } from "./decide/types.ts";
import type { Directives } from "./directives.ts";
import { Engine, type LedgerPort } from "./engine.ts";
import { openFreezes } from "./freezes.ts";
import { Outlook } from "./outlook.ts";
import type { PublishDown, RolloutLog } from "./ports.ts";
import { Publisher } from "./publisher.ts";
import type { Starter } from "./starting.ts";

export interface RolloutTickSettings {
  stores: Pick<Stores, "control" | "controlRaw" | "writeControl">;
  directory: Directory;
  directives: Directives;
  starter: Starter;
  ledger: LedgerPort;
  publishDown: PublishDown;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: RolloutLog;
  /** Names this process and no other one. */
  holder: string;
  /** How long a process that says nothing keeps the right to decide, milliseconds. */
  leaseMs?: number;
  outlook?: Outlook;
  limits?: Partial<DecisionLimits>;
}

const LEASE_MS = 15_000;
const RENEWAL_INTERVAL = 3_600_000;

/**
 * Moves the rollouts on: each decision is one transaction that checks the lease, decides on the facts of that
 * moment and stores the whole step; directives go out after the commit. What it keeps in memory is a copy, so it
 * may be killed and started anywhere.
 */
export class RolloutTick {
  readonly #settings: RolloutTickSettings;
  readonly #engine: Engine;
  readonly #publisher: Publisher;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: RolloutTickSettings) {
    this.#settings = settings;
    this.#publisher = new Publisher(settings.publishDown, settings.log);
    this.#engine = new Engine({
      ...settings,
      leaseMs: settings.leaseMs ?? LEASE_MS,
      outlook: settings.outlook ?? new Outlook(),
    });
  }

  /** Reads what is under way, so that evidence that comes in from now on finds its place. Decides nothing. */
  async prepare(): Promise<void> {
    await this.#engine.open();
  }

  /** Ticks every `intervalMs` milliseconds. What a crash kept from going out, the `DirectiveDesk` publishes. */
  start(intervalMs: number): void {
    this.#timer = setInterval(() => void this.run(), intervalMs);
  }

  /** Ends after the decision under way and lets another control plane decide at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
    await this.#engine.resign();
  }

  /** One tick over all rollouts; a call during a tick waits for that one. Failures are logged, never thrown. */
  async run(): Promise<void> {
    this.#running ??= this.#tick().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Ticks now, and once more where a tick is under way: it may be past what has just changed. */
  wake(): void {
    if (this.#running) this.#again = true;
    else void this.run();
  }

  async #tick(): Promise<void> {
    do {
      this.#again = false;
      await this.#round().catch((error: unknown) => {
        this.#settings.log.error({ err: error, code: asMusterError(error).code }, "rollout tick failed");
      });
      await this.#publisher.publish();
    } while (this.#again && !this.#stopped);
  }

  async #round(): Promise<void> {
    const { stores, clock } = this.#settings;
    await this.#renew();
    if (!(await this.#engine.open())) return;
    const scheduled = this.#engine.scheduled();
    for (const row of scheduled) await this.#each(row.id, () => this.#engine.begin(row).then(() => false));
    if (scheduled.length > 0) await this.#engine.open();
    const freezes = await openFreezes(stores.control, clock());
    let pending = this.#engine.loaded().map(({ rollout }) => rollout.id);
    // A rollout with much to do takes turns with the others, and with everything else that this process does.
    while (pending.length > 0 && !this.#stopped) {
      const unfinished: string[] = [];
      for (const id of pending)
        if (await this.#each(id, () => this.#advance(id, freezes))) unfinished.push(id);
      await this.#publisher.publish();
      if (unfinished.length > 0) await turn();
      pending = unfinished;
    }
    this.#engine.close();
  }

  async #advance(id: string, freezes: readonly Freeze[]): Promise<boolean> {
    const { issued, more } = await this.#engine.advance(id, freezes);
    this.#publisher.queue(issued);
    return more;
  }

  /** A rollout that cannot be advanced holds up no other one. */
  async #each(rollout: string, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      this.#engine.forget(rollout);
      const { code } = asMusterError(error);
      this.#settings.log.error({ err: error, rollout, code }, "rollout could not be advanced");
      return false;
    }
  }

  /** Directives that were not taken up for half of their validity are issued anew. */
  async #renew(): Promise<void> {
    const { clock } = this.#settings;
    if (Math.abs(clock() - this.#renewedAt) < RENEWAL_INTERVAL) return;
    let left = true;
    while (left) {
      const { issued, more } = await this.#engine.renewDirectives();
      this.#publisher.queue(issued);
      left = more;
      if (left) await turn();
    }
    this.#renewedAt = clock();
  }
}
