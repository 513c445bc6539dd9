import { isMusterError } from "@muster/shared/errors";
import type { UpdateBody } from "@muster/shared/protocol/messages";
import { parseJson } from "@muster/shared/protocol/validate";
import type { Database, Statement } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";
import { emptyJournal, JournalState } from "./journal-state.ts";
import { type JournalEvent, transition } from "./machine.ts";
import type { Clock, LogPort, OutboxPort } from "./ports.ts";
import type { UpdateSettings } from "./settings.ts";

const UPDATE_TABLES = [
  `CREATE TABLE update_journal (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT`,
  `CREATE TABLE update_releases (
     digest TEXT PRIMARY KEY, manifest TEXT NOT NULL, choices TEXT NOT NULL, stored_at INTEGER NOT NULL
   ) STRICT`,
];

interface JournalPorts {
  database: Database;
  outbox: OutboxPort;
  clock: Clock;
  log: LogPort;
  settings: UpdateSettings;
  /** Told after each step. */
  onStep: () => void;
}

/** The update journal on disk: each step is one transaction that is durable before the step is acted on. */
export class Journal {
  readonly #ports: JournalPorts;
  readonly #save: Statement<[string]>;
  readonly #commit: (event: JournalEvent, also: () => void) => JournalState;
  /** True when there was no journal yet: a new box, or its database was lost. */
  readonly isNew: boolean;
  #state: JournalState;

  /** @throws MusterError `storage.newer` when a later agent wrote a journal that this one cannot read */
  constructor(ports: JournalPorts) {
    const { database } = ports;
    this.#ports = ports;
    migrate(database, "update", UPDATE_TABLES);
    const stored = database
      .prepare<[], string>("SELECT state FROM update_journal WHERE id = 1")
      .pluck()
      .get();
    this.isNew = stored === undefined;
    this.#state = stored === undefined ? emptyJournal : parseJson(JournalState, stored, "storage.newer");
    this.#save = database.prepare<[string]>(
      "INSERT OR REPLACE INTO update_journal (id, state) VALUES (1, ?)",
    );
    this.#commit = database.transaction((event: JournalEvent, also: () => void) => {
      const { state, records } = this.#next(event);
      also();
      this.#save.run(JSON.stringify(state));
      this.#tell(records);
      return state;
    });
  }

  get state(): JournalState {
    return this.#state;
  }

  /**
   * Stores the step that `event` makes, with its records and what `also` writes, in one transaction.
   * @throws MusterError `storage.full` or `storage.broken`; then nothing has changed
   */
  apply(event: JournalEvent, also: () => void = () => undefined): void {
    try {
      this.#state = this.#commit(event, also);
    } catch (error) {
      throw asStorageError(error);
    }
    this.#ports.onStep();
  }

  /** As `apply`, for what an update can do without when the disk is full. */
  note(event: JournalEvent): void {
    try {
      this.apply(event);
    } catch (error) {
      this.#ports.log.warn({ event: "update.unnoted" }, asStorageError(error).message);
    }
  }

  /**
   * Takes the step in memory although it cannot be stored: only for going back, which is safe to repeat from
   * what is stored after a restart.
   */
  applyUnstored(event: JournalEvent): void {
    this.#state = this.#next(event).state;
    this.#ports.onStep();
  }

  /** Starts from a release that was found running although the journal was lost. */
  adopt(state: JournalState): void {
    this.#save.run(JSON.stringify(state));
    this.#state = state;
  }

  #next(event: JournalEvent) {
    const { clock, settings } = this.#ports;
    return transition(this.#state, event, { now: clock.now(), limits: settings });
  }

  /** A full outbox must not stop an update or a rollback: the reported state tells the outcome as well. */
  #tell(records: readonly UpdateBody[]): void {
    if (records.length === 0) return;
    const at = this.#ports.clock.now();
    try {
      this.#ports.outbox.append(records.map((body) => ({ kind: "update" as const, at, body })));
    } catch (error) {
      if (!isMusterError(error, "outbox.full")) throw error;
      this.#ports.log.warn({ event: "update.untold", records: records.length }, error.message);
    }
  }
}
