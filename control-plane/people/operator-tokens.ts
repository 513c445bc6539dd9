import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { hashOfSecret, matchesSecret, newSecret } from "../secrets.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import { both, type Grant } from "./grants.ts";
import type { Principal } from "./principal.ts";

/** What a new token is to be. Times in milliseconds since the epoch. */
export interface NewOperatorToken {
  /** What it is for. */
  name: string;
  /** Narrows what its operator may do; it never gives more. */
  grants?: readonly Grant[];
  expiresAt?: number | null;
}

/** A token without its secret. Times in milliseconds since the epoch. */
export interface OperatorToken {
  id: string;
  operator: string;
  name: string;
  /** Null where it allows all that its operator may do. */
  grants: Grant[] | null;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
  revokedAt: number | null;
  state: "valid" | "expired" | "revoked";
}

const PREFIX = "muop1";
/** Tokens of one operator that can be used, at most. */
const MOST = 100;
/** `last_used_at` is written at most this often for each token, milliseconds. */
const LAST_USED_RESOLUTION = 60_000;

type Row = ControlTables["operator_tokens"];

/** Tokens of operators, `muop1.<token id>.<secret>`. */
export class OperatorTokens {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /**
   * The secret is told here once and never again.
   * @throws MusterError `request.not-found`, `request.conflict` for a revoked operator, too many tokens or a name that
   * another token of his has, `request.invalid` for an end that is past
   */
  async create(
    operator: string,
    wanted: NewOperatorToken,
  ): Promise<{ token: OperatorToken; secret: string }> {
    return await inTransaction(this.#db, async (tx) => {
      const row = await tx
        .selectFrom("operators")
        .select(["name", "revoked_at"])
        .where("id", "=", operator)
        .executeTakeFirst();
      if (!row) throw new MusterError("request.not-found", `There is no operator ${operator}.`);
      if (row.revoked_at !== null) throw new MusterError("request.conflict", `${row.name} was revoked.`);
      return await this.createIn(tx, operator, wanted);
    });
  }

  /** As `create`, in the caller's transaction. */
  async createIn(
    tx: ControlTransaction,
    operator: string,
    { name, grants, expiresAt = null }: NewOperatorToken,
  ): Promise<{ token: OperatorToken; secret: string }> {
    const now = this.#now();
    if (expiresAt !== null && expiresAt <= now)
      throw new MusterError("request.invalid", "The end of a token lies in the future.");
    const others = (await this.#rowsOf(tx, operator)).filter((row) => stateOf(row, now) === "valid");
    if (others.some((row) => row.name === name))
      throw new MusterError("request.conflict", `There is a token named ${name} already: revoke it first.`);
    if (others.length >= MOST)
      throw new MusterError("request.conflict", `There are ${MOST} tokens already: revoke some.`);
    const { id, secret } = newSecret("optoken");
    const row: Row = {
      id,
      operator,
      name,
      secret_hash: hashOfSecret(secret),
      grants: grants === undefined ? null : JSON.stringify(grants),
      created_at: now,
      expires_at: expiresAt,
      last_used_at: null,
      revoked_at: null,
    };
    await tx.insertInto("operator_tokens").values(row).execute();
    return { token: tokenOf(row, now), secret: `${PREFIX}.${id}.${secret}` };
  }

  /** Of an operator, oldest first. */
  async list(operator: string): Promise<OperatorToken[]> {
    const now = this.#now();
    return (await this.#rowsOf(this.#db, operator)).map((row) => tokenOf(row, now));
  }

  /** In the caller's transaction. @throws MusterError `request.not-found` */
  async revokeIn(tx: ControlTransaction, operator: string, id: string): Promise<OperatorToken> {
    const now = this.#now();
    const row = (await this.#rowsOf(tx, operator)).find((each) => each.id === id);
    if (!row) throw new MusterError("request.not-found", `There is no such token ${id}.`);
    if (row.revoked_at !== null) return tokenOf(row, now);
    await tx.updateTable("operator_tokens").set({ revoked_at: now }).where("id", "=", id).execute();
    return tokenOf({ ...row, revoked_at: now }, now);
  }

  /** When any token of each operator was last used. */
  async lastUses(): Promise<Map<string, number | null>> {
    const rows = await this.#db
      .selectFrom("operator_tokens")
      .select(["operator", (select) => select.fn.max("last_used_at").as("at")])
      .groupBy("operator")
      .execute();
    return new Map(rows.map(({ operator, at }) => [operator, at]));
  }

  /** Who speaks with this token. @throws MusterError `request.unauthorized` */
  async authenticate(text: string | undefined): Promise<Principal> {
    const [prefix, id, secret, ...rest] = text?.split(".") ?? [];
    const row =
      prefix === PREFIX && id && secret && rest.length === 0
        ? await this.#db
            .selectFrom("operator_tokens as t")
            .innerJoin("operators as o", "o.id", "t.operator")
            .selectAll("t")
            .select(["o.name as who", "o.grants as all", "o.revoked_at as ended"])
            .where("t.id", "=", id)
            .executeTakeFirst()
        : undefined;
    if (!row || !secret || !matchesSecret(secret, row.secret_hash))
      throw new MusterError("request.unauthorized");
    const now = this.#now();
    if (row.revoked_at !== null || row.ended !== null)
      throw new MusterError("request.unauthorized", "This operator token was revoked.");
    if (row.expires_at !== null && row.expires_at <= now)
      throw new MusterError("request.unauthorized", "This operator token has expired.");
    if (now - (row.last_used_at ?? 0) >= LAST_USED_RESOLUTION) await this.#noteUse(row.id, now);
    const all = JSON.parse(row.all) as Grant[];
    return {
      id: row.operator,
      name: row.who,
      grants: row.grants === null ? all : both(all, JSON.parse(row.grants) as Grant[]),
      by: "token",
      credential: row.id,
      expiresAt: row.expires_at,
      csrf: null,
    };
  }

  #rowsOf(db: Kysely<ControlTables>, operator: string): Promise<Row[]> {
    return db
      .selectFrom("operator_tokens")
      .selectAll()
      .where("operator", "=", operator)
      .orderBy("created_at")
      .orderBy("id")
      .execute();
  }

  async #noteUse(id: string, now: number): Promise<void> {
    try {
      await this.#db.updateTable("operator_tokens").set({ last_used_at: now }).where("id", "=", id).execute();
    } catch {
      // A full disk must not lock out those who have to see to it; whatever they change tells them.
    }
  }
}

function stateOf({ revoked_at, expires_at }: Row, now: number): OperatorToken["state"] {
  if (revoked_at !== null) return "revoked";
  return expires_at !== null && expires_at <= now ? "expired" : "valid";
}

const tokenOf = (row: Row, now: number): OperatorToken => ({
  id: row.id,
  operator: row.operator,
  name: row.name,
  grants: row.grants === null ? null : (JSON.parse(row.grants) as Grant[]),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  lastUsedAt: row.last_used_at,
  revokedAt: row.revoked_at,
  state: stateOf(row, now),
});
