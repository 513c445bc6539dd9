import type { Database } from "better-sqlite3";
import type { Directory } from "../fleet/directory.ts";
import type { Stores } from "../storage/database.ts";
import type { DevicesTable } from "../storage/tables/fleet.ts";
import type { PublishDown } from "./ports.ts";

export interface DirectiveDeskParts {
  stores: Pick<Stores, "controlReader">;
  directory: Pick<Directory, "refresh" | "withheldBecause" | "withheld">;
  publishDown: PublishDown;
}

/** The directive that a device may have now. */
export interface HandedOut {
  generation: number;
  /** JSON text, as it was signed. */
  text: string;
}

type Row = Pick<DevicesTable, "id" | "status" | "generation" | "directive">;

const COLUMNS = "id, status, generation, directive";

/**
 * The one place where directives leave, over MQTT and over HTTPS: a device that is withheld gets none that was
 * decided before and is new to it. Its way back goes out all the same: what it had before is nothing new. What lies
 * with the broker follows from the database and can be laid out again at any time.
 */
export class DirectiveDesk {
  readonly #parts: DirectiveDeskParts;
  readonly #db: Database;
  #withheld: ReadonlySet<string> = new Set();

  constructor(parts: DirectiveDeskParts) {
    this.#parts = parts;
    this.#db = parts.stores.controlReader;
  }

  /** Undefined where there is none, or none that the device may have now. */
  of(device: string): HandedOut | undefined {
    this.#parts.directory.refresh();
    const row = this.#db.prepare<[string], Row>(`SELECT ${COLUMNS} FROM devices WHERE id = ?`).get(device);
    return row && this.#mayHave(row);
  }

  /**
   * Lays what the device may have now out at the broker, and takes away what it may not.
   * @throws MusterError where the broker takes nothing
   */
  async offer(device: string): Promise<void> {
    // An empty retained message takes the one before away (MQTT 3.1.1 section 3.3.1.3).
    await this.#parts.publishDown(device, "desired", this.of(device)?.text ?? "", { retain: true });
  }

  /** Lays everything out: the broker keeps retained messages in memory only. */
  async restore(): Promise<void> {
    const { directory, publishDown } = this.#parts;
    directory.refresh();
    this.#withheld = this.#withheldNow();
    const rows = this.#db
      .prepare<[], Row>(`SELECT ${COLUMNS} FROM devices WHERE directive IS NOT NULL`)
      .all();
    for (const row of rows) {
      const handed = this.#mayHave(row);
      if (handed) await publishDown(row.id, "desired", handed.text, { retain: true });
    }
  }

  /**
   * Follows verdicts and the passing of time: call it every second or so. What the broker does not take is tried again
   * by the next call.
   */
  async settle(): Promise<void> {
    this.#parts.directory.refresh();
    const now = this.#withheldNow();
    const before = this.#withheld;
    const changed = [
      ...[...now].filter((device) => !before.has(device)),
      ...[...before].filter((device) => !now.has(device)),
    ];
    for (const device of changed) await this.offer(device);
    this.#withheld = now;
  }

  #withheldNow(): ReadonlySet<string> {
    return new Set(this.#parts.directory.withheld().map(({ id }) => id));
  }

  #mayHave({ id, status, generation, directive }: Row): HandedOut | undefined {
    if (directive === null || status === "revoked") return undefined;
    const isKept = status === "quarantined" || this.#parts.directory.withheldBecause(id) !== undefined;
    if (isKept && !this.#isWayBack(id, generation)) return undefined;
    return { generation, text: directive };
  }

  #isWayBack(device: string, generation: number): boolean {
    const found = this.#db
      .prepare("SELECT 1 FROM rollout_devices WHERE device = ? AND return_generation = ?")
      .get(device, generation);
    return found !== undefined;
  }
}
