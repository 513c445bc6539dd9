import { asMusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import { ACTIVE_STATES } from "./candidates.ts";
import { changesNothing, type Decision, type DecisionLimits, decide } from "./decide.ts";
import type { Directives, IssuedDirective } from "./directives.ts";
import { readFacts } from "./facts.ts";
import { OPEN_STATUSES, type Rollout } from "./model.ts";
import type { LivenessPort, PublishDown, RolloutLog } from "./ports.ts";
import { addEvents, addQuarantine, loadRollout, saveProgress, saveRecord } from "./store.ts";

export interface RolloutTickSettings {
  db: Kysely<ControlTables>;
  liveness: LivenessPort;
  directives: Directives;
  publishDown: PublishDown;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: RolloutLog;
  limits?: DecisionLimits;
}

/** Bounds how long one transaction keeps everything else waiting: a directive costs half a millisecond in it. */
const DEFAULT_LIMITS: DecisionLimits = { instructionsPerTick: 250 };
const RENEWAL_INTERVAL = 3_600_000;

/**
 * Moves the rollouts on: reads the facts, decides, and stores the whole step of a rollout in one transaction;
 * directives go out after the commit. It keeps nothing that matters, so it may be killed and started anywhere.
 */
export class RolloutTick {
  readonly #settings: RolloutTickSettings;
  readonly #unpublished = new Map<string, IssuedDirective>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: RolloutTickSettings) {
    this.#settings = settings;
  }

  /** Ticks every `intervalMs` milliseconds. What a crash kept from going out, `restoreDirectives` publishes. */
  start(intervalMs: number): void {
    this.#timer = setInterval(() => void this.run(), intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** One tick over all rollouts; a call during a tick waits for that one. Failures are logged, never thrown. */
  async run(): Promise<void> {
    this.#running ??= this.#tick().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #tick(): Promise<void> {
    const { db, log, clock, directives } = this.#settings;
    try {
      if (clock() - this.#renewedAt >= RENEWAL_INTERVAL) {
        this.#queue(await inTransaction(db, async (tx) => await directives.renewDue(tx)));
        this.#renewedAt = clock();
      }
      for (const id of await this.#due()) await this.#advance(id);
    } catch (error) {
      log.error({ err: error, code: asMusterError(error).code }, "rollout tick failed");
    }
    await this.#publish();
  }

  /** Rollouts under way, and ended ones with devices whose end is still open. */
  async #due(): Promise<string[]> {
    const rows = await this.#settings.db
      .selectFrom("rollouts")
      .select("id")
      .where((where) =>
        where.or([
          where("state", "in", [...ACTIVE_STATES]),
          where.and([
            where("state", "in", ["completed", "aborted", "reverted"]),
            where(
              "id",
              "in",
              where.selectFrom("rollout_devices").select("rollout").where("status", "in", OPEN_STATUSES),
            ),
          ]),
        ]),
      )
      .orderBy("created_at")
      .execute();
    return rows.map(({ id }) => id);
  }

  async #advance(id: string): Promise<void> {
    const { db, liveness, clock, log, limits } = this.#settings;
    try {
      const issued = await inTransaction(db, async (tx) => {
        const row = await tx
          .selectFrom("rollouts")
          .selectAll()
          .where("id", "=", id)
          .executeTakeFirstOrThrow();
        // A device that stays away for good would otherwise have its whole rollout read in each tick.
        const statuses = row.ended_at === null ? undefined : OPEN_STATUSES;
        const rollout = await loadRollout(tx, row, statuses);
        const facts = await readFacts(tx, id, liveness, statuses);
        const decision = decide(rollout, facts, clock(), limits ?? DEFAULT_LIMITS);
        return changesNothing(rollout, decision) ? [] : await this.#apply(tx, row, rollout, decision);
      });
      this.#queue(issued);
    } catch (error) {
      log.error(
        { err: error, rollout: id, code: asMusterError(error).code },
        "rollout could not be advanced",
      );
    }
  }

  async #apply(
    tx: ControlTransaction,
    row: RolloutsTable,
    rollout: Rollout,
    decision: Decision,
  ): Promise<IssuedDirective[]> {
    const { directives, clock } = this.#settings;
    const issued = new Map<string, IssuedDirective>();
    for (const { device, release } of decision.instructions)
      issued.set(device, await directives.issue(tx, device, { release, rollout: row.id }));
    for (const record of decision.devices) {
      const generation = issued.get(record.device)?.generation;
      const told = record.status === "told" && generation !== undefined;
      const returning = record.status === "returning" && generation !== undefined;
      await saveRecord(tx, row.id, {
        ...record,
        ...(told ? { toldGeneration: generation } : {}),
        ...(returning ? { returnGeneration: generation } : {}),
      });
    }
    await saveProgress(tx, row.id, decision.progress);
    await addQuarantine(tx, rollout, decision, clock());
    await addEvents(tx, row.id, decision.events, clock());
    return [...issued.values()];
  }

  #queue(issued: readonly IssuedDirective[]): void {
    for (const directive of issued) this.#unpublished.set(directive.device, directive);
  }

  /** What the broker does not take now is tried again in the next tick. */
  async #publish(): Promise<void> {
    const { publishDown, log } = this.#settings;
    for (const [device, directive] of [...this.#unpublished]) {
      try {
        await publishDown(device, "desired", directive.text, { retain: true });
        if (this.#unpublished.get(device) === directive) this.#unpublished.delete(device);
      } catch (error) {
        log.error({ err: error, device }, "directive could not be published yet");
      }
    }
  }
}
