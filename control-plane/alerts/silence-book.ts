import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { parseSelector } from "../fleet/selector.ts";
import { newId } from "../ids.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { isInForce, MAX_SILENCES, type Silence, type SilenceInput } from "./silence.ts";

/** Ended silences are kept so long, milliseconds: who silenced what is asked afterwards. */
const KEPT_MS = 90 * 86_400_000;

/** Silences in force, to come, and ended not long ago. */
export class SilenceBook {
  readonly #db: Kysely<ControlTables>;
  readonly #clock: () => number;
  readonly #silences = new Map<string, Silence>();

  private constructor(db: Kysely<ControlTables>, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  static async load(db: Kysely<ControlTables>, clock: () => number): Promise<SilenceBook> {
    const book = new SilenceBook(db, clock);
    for (const row of await db.selectFrom("alert_silences").selectAll().execute())
      book.#silences.set(row.id, {
        id: row.id,
        selector: row.selector,
        from: row.from_at,
        until: row.until_at,
        reason: row.reason,
        createdBy: row.created_by,
        createdAt: row.created_at,
      });
    return book;
  }

  /** Newest first. */
  list(): Silence[] {
    return [...this.#silences.values()].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
  }

  inForce(now: number): Silence[] {
    return this.list().filter((silence) => isInForce(silence, now));
  }

  /** @throws MusterError `selector.invalid`, `request.invalid`, or `request.conflict` for too many silences */
  async add(input: SilenceInput, by: string): Promise<Silence> {
    parseSelector(input.selector);
    const now = this.#clock();
    const from = Math.max(now, input.from ?? now);
    const until = from + input.seconds * 1000;
    const open = this.list().filter((silence) => silence.until > now);
    if (open.length >= MAX_SILENCES)
      throw new MusterError("request.conflict", `There are ${MAX_SILENCES} silences already: end some.`);
    const silence: Silence = {
      id: newId("silence"),
      selector: input.selector,
      from,
      until,
      reason: input.reason,
      createdBy: by,
      createdAt: now,
    };
    await this.#db
      .insertInto("alert_silences")
      .values({
        id: silence.id,
        selector: silence.selector,
        from_at: from,
        until_at: until,
        reason: silence.reason,
        created_by: by,
        created_at: now,
      })
      .execute();
    this.#silences.set(silence.id, silence);
    return silence;
  }

  /** Ends a silence now; one that has ended stays as it is. @throws MusterError `request.not-found` */
  async end(id: string): Promise<Silence> {
    const silence = this.#silences.get(id);
    if (!silence) throw new MusterError("request.not-found", `There is no silence ${id}.`);
    const until = Math.min(silence.until, this.#clock());
    await this.#db.updateTable("alert_silences").set({ until_at: until }).where("id", "=", id).execute();
    const ended = { ...silence, from: Math.min(silence.from, until), until };
    this.#silences.set(id, ended);
    return ended;
  }

  /** Forgets those that ended long ago. */
  async tidy(): Promise<void> {
    const before = this.#clock() - KEPT_MS;
    for (const { id, until } of this.list()) if (until < before) this.#silences.delete(id);
    await this.#db.deleteFrom("alert_silences").where("until_at", "<", before).execute();
  }
}
