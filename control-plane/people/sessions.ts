import { randomBytes } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import { hashOfSecret, matchesSecret, newSecret } from "../secrets.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { Grant } from "./grants.ts";
import type { Principal } from "./principal.ts";

const PREFIX = "muse1";
/** `last_used_at` is written at most this often, milliseconds. */
const LAST_USED_RESOLUTION = 60_000;
/** Sessions that ended are forgotten after so long, milliseconds. */
const KEPT_MS = 30 * 86_400_000;

export type SessionKind = ControlTables["sessions"]["kind"];

/** How long sessions last, milliseconds. */
export interface SessionLimits {
  /** From the sign-in on, whatever happens. */
  lifeMs: number;
  /** Without a request. */
  idleMs: number;
}

/** A sign-in that was told once. */
export interface NewSession {
  /** `muse1.<id>.<secret>`: the value of the cookie, or the bearer token of the CLI. */
  secret: string;
  csrf: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Sessions of people whom an identity provider vouches for. */
export class Sessions {
  readonly #db: Kysely<ControlTables>;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, limits: SessionLimits, now: () => number) {
    this.#db = db;
    this.#limits = limits;
    this.#now = now;
  }

  async begin(operator: string, kind: SessionKind): Promise<NewSession> {
    const now = this.#now();
    const { id, secret } = newSecret("session");
    const csrf = randomBytes(24).toString("base64url");
    const expiresAt = now + this.#limits.lifeMs;
    await this.#db
      .deleteFrom("sessions")
      .where("expires_at", "<", now - KEPT_MS)
      .execute();
    await this.#db
      .insertInto("sessions")
      .values({
        id,
        operator,
        secret_hash: hashOfSecret(secret),
        kind,
        csrf,
        created_at: now,
        expires_at: expiresAt,
        last_used_at: now,
        ended_at: null,
      })
      .execute();
    return { secret: `${PREFIX}.${id}.${secret}`, csrf, expiresAt };
  }

  static isSession(text: string | undefined): boolean {
    return text?.startsWith(`${PREFIX}.`) ?? false;
  }

  /**
   * Whose session this is; a cookie is good for the page alone and a bearer token for the CLI alone.
   * @throws MusterError `request.unauthorized`
   */
  async authenticate(text: string | undefined, kind: SessionKind): Promise<Principal> {
    const [prefix, id, secret, ...rest] = text?.split(".") ?? [];
    const row =
      prefix === PREFIX && id && secret && rest.length === 0
        ? await this.#db
            .selectFrom("sessions as s")
            .innerJoin("operators as o", "o.id", "s.operator")
            .selectAll("s")
            .select(["o.name as who", "o.grants as grants", "o.revoked_at as revoked"])
            .where("s.id", "=", id)
            .executeTakeFirst()
        : undefined;
    if (!row || !secret || row.kind !== kind || !matchesSecret(secret, row.secret_hash))
      throw new MusterError("request.unauthorized");
    const now = this.#now();
    const over = row.expires_at <= now || row.last_used_at + this.#limits.idleMs <= now;
    if (row.ended_at !== null || row.revoked !== null || over)
      throw new MusterError("request.unauthorized", "This session has ended: sign in again.");
    if (now - row.last_used_at >= LAST_USED_RESOLUTION) await this.#noteUse(row.id, now);
    return {
      id: row.operator,
      name: row.who,
      grants: JSON.parse(row.grants) as Grant[],
      by: kind,
      credential: row.id,
      expiresAt: row.expires_at,
      csrf: kind === "page" ? row.csrf : null,
    };
  }

  /** Ends a session; one that has ended stays so. */
  async end(id: string): Promise<void> {
    await this.#db
      .updateTable("sessions")
      .set({ ended_at: this.#now() })
      .where("id", "=", id)
      .where("ended_at", "is", null)
      .execute();
  }

  async #noteUse(id: string, now: number): Promise<void> {
    try {
      await this.#db.updateTable("sessions").set({ last_used_at: now }).where("id", "=", id).execute();
    } catch {
      // As with tokens: a full disk locks nobody out.
    }
  }
}
