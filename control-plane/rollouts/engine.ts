import { asMusterError, isMusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { Directory } from "../fleet/directory.ts";
import type { Stores } from "../storage/database.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { inTransaction } from "../storage/transaction.ts";
import type { Freeze } from "./admission/freeze.ts";
import { changesNothing, decide } from "./decide/decide.ts";
import type { Decision, DecisionLimits } from "./decide/types.ts";
import type { Directives, IssuedDirective } from "./directives.ts";
import type { Exposures } from "./exposure/exposures.ts";
import type { TrackedRollout } from "./exposure/tracked.ts";
import { FleetFacts } from "./fleet-facts.ts";
import { takeInLateJoiners } from "./late-joiners.ts";
import { Lease } from "./lease.ts";
import type { LoadedRollout } from "./loaded.ts";
import { ACTIVE_STATES, OPEN_STATUSES, STRAGGLER_STATUSES } from "./model.ts";
import type { Outlook } from "./outlook.ts";
import { Past } from "./past.ts";
import { byRank } from "./rivals.ts";
import { RolloutShelf } from "./shelf.ts";
import type { Starter } from "./starting.ts";
import {
  noteMembers,
  planOf,
  progressOfRow,
  type RolloutWriter,
  rolloutWriter,
  stopClocks,
} from "./store.ts";

/** What the exposure ledger is to the engine. */
export interface LedgerPort {
  /** Says which rollouts have an open wave, and whose evidence counts in it. */
  track(active: readonly TrackedRollout[]): void;
  of(rollout: string): Exposures;
}

export interface EngineSettings {
  stores: Pick<Stores, "control" | "controlRaw" | "writeControl">;
  directory: Directory;
  directives: Directives;
  starter: Starter;
  ledger: LedgerPort;
  clock: () => number;
  holder: string;
  leaseMs: number;
  outlook: Outlook;
  limits?: Partial<DecisionLimits>;
}

/** A directive costs a fifth of a millisecond in its transaction, which everything else waits for. */
const DEFAULT_LIMITS: DecisionLimits = { instructions: 50, changes: 500, tickMs: 1_000 };

/** How old the liveness may be on which a decision of a long tick rests. */
const LIVENESS_MS = 500;

const listed = (values: readonly string[]): string => values.map((value) => `'${value}'`).join();
const HAS = (statuses: readonly string[]): string =>
  `EXISTS (SELECT 1 FROM rollout_devices d WHERE d.rollout = rollouts.id AND d.status IN (${listed(statuses)}))`;

/** Rollouts under way, scheduled ones, and ended ones with devices whose end is still open. */
const DUE = `SELECT * FROM rollouts
  WHERE state IN (${listed([...ACTIVE_STATES, "scheduled"])})
     OR (state = 'completed' AND ${HAS([...STRAGGLER_STATUSES, ...OPEN_STATUSES])})
     OR (state IN ('aborted', 'reverted') AND ${HAS(OPEN_STATUSES)})
  ORDER BY created_at, id`;

interface Advance {
  issued: IssuedDirective[];
  /** True where a limit cut the work short. */
  more: boolean;
}
const NOTHING: Advance = { issued: [], more: false };

/** The transactions of the rollouts, on copies in memory that are thrown away when somebody else wrote. */
export class Engine {
  readonly #settings: EngineSettings;
  readonly #limits: DecisionLimits;
  readonly #lease: Lease;
  readonly #shelf: RolloutShelf;
  #scheduled: RolloutsTable[] = [];
  #round = 0;
  #writer: { db: Database; writer: RolloutWriter } | undefined;

  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
    this.#shelf = new RolloutShelf(settings.stores);
    this.#lease = new Lease(settings.holder, settings.leaseMs);
  }

  /** Rollouts under way, the one that goes first at its head. */
  loaded(): LoadedRollout[] {
    return this.#shelf.all().sort((a, b) => byRank(a.rollout, b.rollout));
  }

  forget(rollout: string): void {
    this.#shelf.forget(rollout);
  }

  /** Scheduled rollouts whose time has come. */
  scheduled(): readonly RolloutsTable[] {
    const now = this.#settings.clock();
    return this.#scheduled.filter((row) => (planOf(row).startAt ?? 0) <= now);
  }

  /** Takes the lease where there is anything to do and brings the copies up to date; false where there is nothing. */
  async open(): Promise<boolean> {
    const { stores, clock, outlook } = this.#settings;
    this.#round += 1;
    const rows = await stores.writeControl((db) => {
      const due = db.prepare<[], RolloutsTable>(DUE);
      // The lease may stop clocks, which makes new revisions.
      if (due.all().length === 0) return [];
      return this.#hold(db, clock()) ? due.all() : undefined;
    });
    // Who decides now also keeps what devices measure: it is not ours to forget.
    if (rows === undefined) return false;
    this.#scheduled = rows.filter(({ state }) => state === "scheduled");
    const open = rows.filter(({ state }) => state !== "scheduled");
    await this.#shelf.bringUpToDate(open);
    outlook.keep(new Set(open.map(({ id }) => id)));
    this.#track();
    return rows.length > 0;
  }

  /** Tells the exposure ledger whose evidence counts from now on. */
  close(): void {
    this.#track();
  }

  /** Starts a scheduled rollout. One that cannot start any more is aborted, with the reason. */
  async begin({ id }: RolloutsTable): Promise<void> {
    const { stores, starter, clock } = this.#settings;
    const db = stores.controlRaw;
    try {
      await inTransaction(stores.control, async (tx) => {
        const row = requireRow(db, id);
        if (row.state !== "scheduled" || !this.#hold(db, clock())) return;
        await starter.start(tx, row, clock());
      });
    } catch (error) {
      const { code, message } = asMusterError(error);
      if (!isMusterError(error) || code.startsWith("storage.") || code.startsWith("internal.")) throw error;
      await stores.writeControl(() => {
        const row = requireRow(db, id);
        if (row.state !== "scheduled" || !this.#hold(db, clock())) return;
        const reason = `The rollout could not start: ${message}`;
        const progress = { ...progressOfRow(row), state: "aborted" as const, reason, endedAt: clock() };
        this.#write(db).progress(id, progress);
        this.#write(db).events(id, [{ kind: "aborted", sentence: reason, numbers: {} }], clock());
      });
    }
  }

  /** One decision about a rollout, in one transaction. */
  async advance(id: string, freezes: readonly Freeze[]): Promise<Advance> {
    const { stores, directory, clock, outlook, ledger } = this.#settings;
    let after: (() => void) | undefined;
    const advance = await stores.writeControl((db): Advance => {
      const now = clock();
      const loaded = this.#shelf.get(id);
      if (!loaded || !this.#hold(db, now)) return NOTHING;
      directory.refresh();
      if (!loaded.follow(requireRow(db, id))) {
        this.#shelf.forget(id);
        return NOTHING;
      }
      const joined = takeInLateJoiners(db, loaded, directory, now);
      if (joined) {
        noteMembers(db, id);
        this.#write(db).events(id, [joined], now);
        this.#shelf.forget(id);
        return NOTHING;
      }
      const facts = new FleetFacts(
        directory,
        loaded,
        this.#shelf.all(),
        freezes,
        ledger.of(id),
        new Past(db),
        loaded.liveness(this.#round, now, LIVENESS_MS),
      );
      const decision = decide(loaded.rollout, facts, now, this.#limits);
      const { appraised, gateNow, held, more } = decision;
      const appraisedAt = appraised ? directory.revision : loaded.appraisedAt;
      const see = () => {
        loaded.appraisedAt = appraisedAt;
        outlook.set(id, { gate: gateNow, held });
      };
      if (changesNothing(loaded.rollout, decision)) {
        after = see;
        return { issued: [], more };
      }
      const { issued, devices } = this.#apply(db, loaded, decision, now);
      after = () => {
        see();
        loaded.become({ ...loaded.rollout, ...decision.progress, devices });
      };
      return { issued, more };
    });
    after?.();
    return advance;
  }

  /** Issues anew, a limited number at a time, what its devices have not taken up for too long. */
  async renewDirectives(): Promise<Advance> {
    const { stores, directory, directives, clock } = this.#settings;
    const dueNow = () => {
      directory.refresh();
      return [...directory.all()].filter((device) => directives.isDue(device));
    };
    if (dueNow().length === 0) return NOTHING;
    const { instructions } = this.#limits;
    return await stores.writeControl((db) => {
      if (!this.#hold(db, clock())) return NOTHING;
      // Whoever held the lease before may have told a device something newer.
      const due = dueNow();
      const issued: IssuedDirective[] = [];
      for (const { id, directive } of due.slice(0, instructions))
        if (directive) issued.push(directives.issue(db, id, directive));
      return { issued, more: due.length > instructions };
    });
  }

  /** Gives the lease back, so that the next control plane need not wait for its end. */
  async resign(): Promise<void> {
    const { stores, clock } = this.#settings;
    await stores.writeControl((db) => this.#lease.release(db, clock()));
    this.#shelf.clear();
  }

  /** True while this process may decide. Time in which no control plane listened is no silence of the devices. */
  #hold(db: Database, now: number): boolean {
    const tenure = this.#lease.hold(db, now);
    if (!tenure.held) return false;
    if (tenure.lapsedMs !== 0) stopClocks(db, tenure.lapsedMs, now);
    return true;
  }

  #apply(db: Database, { rollout }: LoadedRollout, decision: Decision, now: number) {
    const { directives } = this.#settings;
    const writer = this.#write(db);
    const generations = new Map<string, IssuedDirective>();
    for (const { device, release, shadow } of decision.instructions)
      generations.set(device, directives.issue(db, device, { release, rollout: rollout.id, shadow }));
    const devices = decision.changed.length > 0 ? [...decision.devices] : rollout.devices;
    for (const place of decision.changed) {
      const record = decision.devices[place];
      if (!record) continue;
      const generation = generations.get(record.device)?.generation;
      const stored =
        generation === undefined
          ? record
          : record.status === "told"
            ? { ...record, toldGeneration: generation }
            : { ...record, returnGeneration: generation };
      (devices as (typeof record)[])[place] = stored;
      writer.record(rollout.id, stored);
    }
    if (decision.changed.length > 0) noteMembers(db, rollout.id);
    writer.progress(rollout.id, decision.progress);
    writer.quarantine(rollout, decision.quarantine, decision.progress.reason ?? "", now);
    writer.events(rollout.id, decision.events, now);
    return { issued: [...generations.values()], devices };
  }

  #write(db: Database): RolloutWriter {
    if (this.#writer?.db !== db) this.#writer = { db, writer: rolloutWriter(db) };
    return this.#writer.writer;
  }

  #track(): void {
    const open: TrackedRollout[] = [];
    const withheld = new Set(this.#settings.directory.withheld().map(({ id }) => id));
    for (const loaded of this.#shelf.all()) {
      const { id, state, release, wave, waveOpenedAt, plan } = loaded.rollout;
      if ((state !== "running" && state !== "paused") || wave === null || waveOpenedAt === null) continue;
      const members = loaded.exposureMembers(wave, withheld);
      open.push({
        rollout: id,
        digest: release.digest,
        wave,
        openedAt: waveOpenedAt,
        gate: plan.gate,
        members,
      });
    }
    this.#settings.ledger.track(open);
  }
}

function requireRow(db: Database, id: string): RolloutsTable {
  return db.prepare<[string], RolloutsTable>("SELECT * FROM rollouts WHERE id = ?").get(id) as RolloutsTable;
}
