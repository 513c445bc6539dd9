import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { hashOfSecret, matchesSecret, newSecret } from "../secrets.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";

/** An operator as the API shows it. Times in milliseconds since the epoch. */
export interface Operator {
  id: string;
  name: string;
  createdAt: number;
  lastUsedAt: number | null;
  revokedAt: number | null;
}

const PREFIX = "muop1";

/** `last_used_at` is written at most this often for each operator, milliseconds. */
const LAST_USED_RESOLUTION = 60_000;

const operatorOf = (row: ControlTables["operators"]): Operator => ({
  id: row.id,
  name: row.name,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at,
  revokedAt: row.revoked_at,
});

/** Operators and their tokens, `muop1.<operator id>.<secret>`. */
export class Operators {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
  }

  /** Token of a first operator where there is none at all; undefined from then on. */
  async ensureFirstToken(): Promise<string | undefined> {
    const anyone = await this.#db.selectFrom("operators").select("id").limit(1).executeTakeFirst();
    return anyone ? undefined : (await this.create("first")).token;
  }

  /**
   * The token is told here once and never again.
   * @throws MusterError `request.conflict` for a name that an operator has who is not revoked: approvals and events
   * tell people apart by it
   */
  async create(name: string): Promise<{ operator: Operator; token: string }> {
    const { id, secret } = newSecret("operator");
    const row: ControlTables["operators"] = {
      id,
      name,
      token_hash: hashOfSecret(secret),
      created_at: this.#now(),
      last_used_at: null,
      revoked_at: null,
    };
    await inTransaction(this.#db, async (tx) => {
      const namesake = tx.selectFrom("operators").select("id").where("name", "=", name);
      if (await namesake.where("revoked_at", "is", null).executeTakeFirst())
        throw new MusterError("request.conflict", `There is an operator named ${name} already.`);
      await tx.insertInto("operators").values(row).execute();
    });
    return { operator: operatorOf(row), token: `${PREFIX}.${row.id}.${secret}` };
  }

  async list(): Promise<Operator[]> {
    const rows = await this.#db.selectFrom("operators").selectAll().orderBy("created_at").execute();
    return rows.map(operatorOf);
  }

  /**
   * Ends a token for good; repeating it changes nothing.
   * @throws MusterError `request.not-found`, or `request.conflict` for the last operator who can sign in
   */
  async revoke(id: string): Promise<Operator> {
    return await this.#db.transaction().execute(async (tx) => {
      const row = await tx.selectFrom("operators").selectAll().where("id", "=", id).executeTakeFirst();
      if (!row) throw new MusterError("request.not-found", `There is no operator ${id}.`);
      if (row.revoked_at !== null) return operatorOf(row);
      const other = await tx
        .selectFrom("operators")
        .select("id")
        .where("id", "!=", id)
        .where("revoked_at", "is", null)
        .limit(1)
        .executeTakeFirst();
      if (!other)
        throw new MusterError(
          "request.conflict",
          `${row.name} is the last operator with a token; create another before revoking this one.`,
        );
      const revoked = { ...row, revoked_at: this.#now() };
      await tx
        .updateTable("operators")
        .set({ revoked_at: revoked.revoked_at })
        .where("id", "=", id)
        .execute();
      return operatorOf(revoked);
    });
  }

  /** The operator whose token this is. @throws MusterError `request.unauthorized` */
  async authenticate(token: string | undefined): Promise<Operator> {
    const [prefix, id, secret, ...rest] = token?.split(".") ?? [];
    const row =
      prefix === PREFIX && id && secret && rest.length === 0
        ? await this.#db.selectFrom("operators").selectAll().where("id", "=", id).executeTakeFirst()
        : undefined;
    if (!row || !secret || !matchesSecret(secret, row.token_hash))
      throw new MusterError("request.unauthorized");
    if (row.revoked_at !== null)
      throw new MusterError("request.unauthorized", "This operator token was revoked.");
    const now = this.#now();
    if (now - (row.last_used_at ?? 0) >= LAST_USED_RESOLUTION) await this.#noteUse(row.id, now);
    return operatorOf(row);
  }

  async #noteUse(id: string, now: number): Promise<void> {
    try {
      await this.#db.updateTable("operators").set({ last_used_at: now }).where("id", "=", id).execute();
    } catch {
      // A full disk must not lock out those who have to see to it; whatever they change tells them.
    }
  }
}
