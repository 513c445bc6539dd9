import { MusterError } from "@muster/shared/errors";
import { Millis, SitePath } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import { newId } from "../ids.ts";
import type { FreezesTable } from "../storage/tables/freezes.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";
import type { Freeze } from "./admission/freeze.ts";

/** What an operator asks for. */
export const NewFreeze = Type.Object(
  {
    /** This site and all below it; every site where it is absent. */
    site: Type.Optional(SitePath),
    /** Milliseconds since the epoch; now where it is absent or past. */
    from: Type.Optional(Millis),
    to: Millis,
    reason: Type.String({ minLength: 1, maxLength: 500 }),
  },
  { additionalProperties: false },
);
export type NewFreeze = Static<typeof NewFreeze>;

/** A freeze with what became of it. Times in milliseconds since the epoch. */
export interface FreezeInfo extends Freeze {
  state: "planned" | "active" | "past";
  createdAt: number;
  endedBy: string | null;
  /** When it was ended before its time. */
  endedAt: number | null;
}

const LONGEST = 366 * 86_400_000;
/** Freezes that are not over, at most; a rollout looks at each of them for each site. */
const MOST_OPEN = 200;

/** Freeze periods: times in which no rollout tells a device anything new. */
export class Freezes {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /**
   * Plans a freeze, or begins it at once.
   * @param operator name of who asks
   * @throws MusterError `freeze.invalid` for times that are no period to come, or when there are too many
   */
  async create(wanted: NewFreeze, operator: string): Promise<FreezeInfo> {
    const now = this.#now();
    const { site = null, from = now, to, reason } = validate(NewFreeze, wanted, "freeze.invalid");
    const row: FreezesTable = {
      id: newId("freeze"),
      site,
      reason: reason.trim(),
      from_at: Math.max(from, now),
      to_at: to,
      created_by: operator,
      created_at: now,
      ended_by: null,
      ended_at: null,
    };
    requirePeriod(row, now);
    await inTransaction(this.#db, async (tx) => {
      if ((await readOpen(tx, now)).length >= MOST_OPEN)
        throw new MusterError(
          "freeze.invalid",
          `There are ${MOST_OPEN} freezes that are not over: end some.`,
        );
      await tx.insertInto("freezes").values(row).execute();
    });
    return infoOf(row, now);
  }

  /** Those that are not over, in the order in which they begin, then up to `past` others, the latest end first. */
  async list(past: number): Promise<FreezeInfo[]> {
    const now = this.#now();
    const open = await readOpen(this.#db, now);
    const over = await this.#db
      .selectFrom("freezes")
      .selectAll()
      .where((where) => where.or([where("to_at", "<=", now), where("ended_at", "is not", null)]))
      .orderBy((order) => order.fn.coalesce("ended_at", "to_at"), "desc")
      .orderBy("id")
      .limit(past)
      .execute();
    return [...open, ...over].map((row) => infoOf(row, now));
  }

  /**
   * Ends a freeze now; one that has not begun never begins. Repeating it, or ending what is over, changes nothing.
   * @param operator name of who asks
   * @throws MusterError `request.not-found`
   */
  async end(id: string, operator: string): Promise<FreezeInfo> {
    const now = this.#now();
    const row = await inTransaction(this.#db, async (tx) => {
      await tx
        .updateTable("freezes")
        .set({ ended_at: now, ended_by: operator })
        .where("id", "=", id)
        .where("ended_at", "is", null)
        .where("to_at", ">", now)
        .execute();
      return await tx.selectFrom("freezes").selectAll().where("id", "=", id).executeTakeFirst();
    });
    if (!row) throw new MusterError("request.not-found", `There is no freeze ${id}.`);
    return infoOf(row, now);
  }
}

/** The freezes that hold now or will, as `admit` takes them. */
export async function openFreezes(db: Kysely<ControlTables>, now: number): Promise<Freeze[]> {
  return (await readOpen(db, now)).map(freezeOf);
}

const readOpen = async (db: Kysely<ControlTables>, now: number): Promise<FreezesTable[]> =>
  await db
    .selectFrom("freezes")
    .selectAll()
    .where("to_at", ">", now)
    .where("ended_at", "is", null)
    .orderBy("from_at")
    .orderBy("id")
    .execute();

function requirePeriod({ from_at: from, to_at: to, reason }: FreezesTable, now: number): void {
  if (reason === "")
    throw new MusterError("freeze.invalid", "A freeze wants a reason for those whom it holds.");
  if (to <= now) throw new MusterError("freeze.invalid", "The freeze would be over already.");
  if (to <= from) throw new MusterError("freeze.invalid", "The freeze would end before it begins.");
  if (to - from > LONGEST) throw new MusterError("freeze.invalid", "A freeze lasts 366 days at most.");
}

const freezeOf = (row: FreezesTable): Freeze => ({
  id: row.id,
  from: row.from_at,
  to: row.ended_at ?? row.to_at,
  site: row.site,
  reason: row.reason,
  createdBy: row.created_by,
});

function infoOf(row: FreezesTable, now: number): FreezeInfo {
  const freeze = freezeOf(row);
  const state = freeze.to <= now ? "past" : freeze.from <= now ? "active" : "planned";
  return { ...freeze, state, createdAt: row.created_at, endedBy: row.ended_by, endedAt: row.ended_at };
}
