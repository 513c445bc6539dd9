import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { newId } from "../ids.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import { both, EVERYWHERE, type Grant } from "./grants.ts";
import { type NewOperatorToken, type OperatorToken, OperatorTokens } from "./operator-tokens.ts";
import { Reach } from "./reach.ts";

/** An operator as the API shows it. Times in milliseconds since the epoch. */
export interface Operator {
  id: string;
  name: string;
  /** What he may do where, as far as his token does not narrow it. */
  grants: Grant[];
  /** The identity provider that vouches for a person; null for operators made here. */
  issuer: string | null;
  createdAt: number;
  /** The newest use of any of his tokens. */
  lastUsedAt: number | null;
  revokedAt: number | null;
}

/** A person as an identity provider names him. */
export interface Person {
  issuer: string;
  subject: string;
  name: string;
}

const ADMIN: Grant[] = [{ role: "admin", site: EVERYWHERE }];

/** People and scripts that use the operator API, and what they may do. */
export class Operators {
  readonly tokens: OperatorTokens;
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
    this.tokens = new OperatorTokens(db, now);
  }

  /** Token of a first operator, an admin, where there is none at all; undefined from then on. */
  async ensureFirstToken(): Promise<string | undefined> {
    const anyone = await this.#db.selectFrom("operators").select("id").limit(1).executeTakeFirst();
    return anyone ? undefined : (await this.create("first", ADMIN)).token;
  }

  /**
   * The token is told here once and never again.
   * @param first what to call the first token, and when it ends
   * @throws MusterError `request.conflict` for a name that an operator has who is not revoked: approvals and events
   * tell people apart by it
   */
  async create(
    name: string,
    grants: readonly Grant[] = ADMIN,
    first: NewOperatorToken = { name: "first" },
  ): Promise<{ operator: Operator; token: string }> {
    const row: ControlTables["operators"] = {
      id: newId("operator"),
      name,
      grants: JSON.stringify(grants),
      issuer: null,
      subject: null,
      created_at: this.#now(),
      revoked_at: null,
    };
    return await inTransaction(this.#db, async (tx) => {
      if (await namesake(tx, name))
        throw new MusterError("request.conflict", `There is an operator named ${name} already.`);
      await tx.insertInto("operators").values(row).execute();
      const { secret } = await this.tokens.createIn(tx, row.id, first);
      return { operator: operatorOf(row, null), token: secret };
    });
  }

  /**
   * The operator who stands for a person of an identity provider, made at the first sign-in; what he may do is from now
   * on what the provider's claims say now.
   * @throws MusterError `access.denied` for one who was revoked here
   */
  async signIn(person: Person, grants: readonly Grant[]): Promise<Operator> {
    const { issuer, subject } = person;
    return await inTransaction(this.#db, async (tx) => {
      const known = await tx
        .selectFrom("operators")
        .selectAll()
        .where("issuer", "=", issuer)
        .where("subject", "=", subject)
        .executeTakeFirst();
      if (known && known.revoked_at !== null)
        throw new MusterError("access.denied", `${known.name} was revoked here.`);
      if (known) {
        const text = JSON.stringify(grants);
        await tx.updateTable("operators").set({ grants: text }).where("id", "=", known.id).execute();
        return operatorOf({ ...known, grants: text }, null);
      }
      const row: ControlTables["operators"] = {
        id: newId("operator"),
        name: await freeName(tx, person),
        grants: JSON.stringify(grants),
        issuer,
        subject,
        created_at: this.#now(),
        revoked_at: null,
      };
      await tx.insertInto("operators").values(row).execute();
      return operatorOf(row, null);
    });
  }

  /** Takes every right from a person whom the provider's claims give none any more, and ends his sessions. */
  async shutOut({ issuer, subject }: Pick<Person, "issuer" | "subject">): Promise<void> {
    await inTransaction(this.#db, async (tx) => {
      const known = await tx
        .selectFrom("operators")
        .select("id")
        .where("issuer", "=", issuer)
        .where("subject", "=", subject)
        .executeTakeFirst();
      if (!known) return;
      await tx.updateTable("operators").set({ grants: "[]" }).where("id", "=", known.id).execute();
      await endSessions(tx, known.id, this.#now());
    });
  }

  async list(): Promise<Operator[]> {
    const rows = await this.#db.selectFrom("operators").selectAll().orderBy("created_at").execute();
    const used = await this.tokens.lastUses();
    return rows.map((row) => operatorOf(row, used.get(row.id) ?? null));
  }

  /** By id or, of those not revoked, by name. @throws MusterError `request.not-found` */
  async find(reference: string): Promise<Operator> {
    const operators = await this.list();
    const found =
      operators.find(({ id }) => id === reference) ??
      operators.find(({ name, revokedAt }) => name === reference && revokedAt === null);
    if (!found) throw new MusterError("request.not-found", `There is no operator ${reference}.`);
    return found;
  }

  /**
   * From now on he may do this and no more; his tokens and sessions follow at once.
   * @throws MusterError `request.not-found`, `operator.last-admin`, or `request.conflict` for a person of an identity
   * provider, whose claims say what he may do
   */
  async change(id: string, grants: readonly Grant[]): Promise<Operator> {
    return await inTransaction(this.#db, async (tx) => {
      const row = await requireRow(tx, id);
      if (row.issuer !== null)
        throw new MusterError(
          "request.conflict",
          `${row.name} signs in at ${row.issuer}: the rules for its claims say what he may do.`,
        );
      const changed = { ...row, grants: JSON.stringify(grants) };
      if (!isAdmin(grants)) await this.#requireOtherAdmin(tx, row);
      await tx.updateTable("operators").set({ grants: changed.grants }).where("id", "=", id).execute();
      return operatorOf(changed, null);
    });
  }

  /**
   * Ends an operator with all tokens and sessions for good; repeating it changes nothing.
   * @throws MusterError `request.not-found`, or `operator.last-admin` for the last admin who can sign in
   */
  async revoke(id: string): Promise<Operator> {
    return await inTransaction(this.#db, async (tx) => {
      const row = await requireRow(tx, id);
      if (row.revoked_at !== null) return operatorOf(row, null);
      await this.#requireOtherAdmin(tx, row);
      const at = this.#now();
      await tx.updateTable("operators").set({ revoked_at: at }).where("id", "=", id).execute();
      await endSessions(tx, id, at);
      return operatorOf({ ...row, revoked_at: at }, null);
    });
  }

  /**
   * Ends one token for good; repeating it changes nothing.
   * @throws MusterError `request.not-found`, or `operator.last-admin` where nobody could administer with another one
   */
  async revokeToken(operator: string, token: string): Promise<OperatorToken> {
    return await inTransaction(this.#db, async (tx) => {
      const row = await requireRow(tx, operator);
      await this.#requireOtherAdmin(tx, row, token);
      return await this.tokens.revokeIn(tx, operator, token);
    });
  }

  /**
   * Somebody has to be able to let others in: an admin of the fleet with a token that is good, does not narrow him and
   * does not end.
   */
  async #requireOtherAdmin(
    tx: ControlTransaction,
    leaving: ControlTables["operators"],
    token?: string,
  ): Promise<void> {
    if (!isAdmin(grantsOf(leaving)) || leaving.revoked_at !== null) return;
    const rows = await tx
      .selectFrom("operators as o")
      .innerJoin("operator_tokens as t", "t.operator", "o.id")
      .select(["o.id as operator", "o.grants as grants", "t.id as token", "t.grants as narrowed"])
      .where("o.revoked_at", "is", null)
      .where("t.revoked_at", "is", null)
      .where("t.expires_at", "is", null)
      .execute();
    const admins = rows.filter(({ grants, narrowed }) =>
      isAdmin(
        narrowed === null
          ? (JSON.parse(grants) as Grant[])
          : both(JSON.parse(grants) as Grant[], JSON.parse(narrowed) as Grant[]),
      ),
    );
    const goes = (each: (typeof rows)[number]) =>
      token === undefined ? each.operator === leaving.id : each.token === token;
    if (admins.some(goes) && admins.every(goes))
      throw new MusterError(
        "operator.last-admin",
        `${leaving.name} is the last operator who can sign in as an admin: create another before.`,
      );
  }
}

const isAdmin = (grants: readonly Grant[]): boolean => Reach.of(grants, "admin").isEverywhere;

const grantsOf = (row: Pick<ControlTables["operators"], "grants">): Grant[] =>
  JSON.parse(row.grants) as Grant[];

const operatorOf = (row: ControlTables["operators"], lastUsedAt: number | null): Operator => ({
  id: row.id,
  name: row.name,
  grants: grantsOf(row),
  issuer: row.issuer,
  createdAt: row.created_at,
  lastUsedAt,
  revokedAt: row.revoked_at,
});

async function requireRow(tx: ControlTransaction, id: string): Promise<ControlTables["operators"]> {
  const row = await tx.selectFrom("operators").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw new MusterError("request.not-found", `There is no operator ${id}.`);
  return row;
}

const namesake = async (tx: ControlTransaction, name: string): Promise<boolean> =>
  (await tx
    .selectFrom("operators")
    .select("id")
    .where("name", "=", name)
    .where("revoked_at", "is", null)
    .executeTakeFirst()) !== undefined;

/** Approvals, events and the audit log name people: no two who are here at a time are called the same. */
async function freeName(tx: ControlTransaction, { name, issuer }: Person): Promise<string> {
  if (!(await namesake(tx, name))) return name;
  const { host } = new URL(issuer);
  let free = `${name} (${host})`;
  for (let number = 2; await namesake(tx, free); number += 1) free = `${name} (${host}, ${number})`;
  return free;
}

const endSessions = async (tx: ControlTransaction, operator: string, at: number): Promise<unknown> =>
  await tx
    .updateTable("sessions")
    .set({ ended_at: at })
    .where("operator", "=", operator)
    .where("ended_at", "is", null)
    .execute();
