import { type ErrorCode, MusterError } from "@muster/shared/errors";
import { type Labels, Labels as LabelsSchema, SitePath } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import { ASSURANCES, type Assurance } from "../attestation/verdict.ts";
import { hashOfSecret, matchesSecret, newSecret } from "../secrets.ts";
import type { Stores } from "../storage/database.ts";
import type { JoinTokensTable } from "../storage/tables/fleet.ts";

/** What a token lets in. Times in milliseconds since the epoch. */
export interface NewJoinToken {
  site: string;
  labels?: Labels;
  /** How many devices it lets in, 1 to 100 000. */
  uses: number;
  expiresAt: number;
  /** Least assurance of the devices that it lets in, `software` unless told. */
  minAssurance?: Assurance;
  /** Id of the device whose place the one that enrolls takes; such a token has one use. */
  replaces?: string;
}

export interface JoinTokenInfo {
  id: string;
  site: string;
  labels: Labels;
  uses: number;
  usesLeft: number;
  createdAt: number;
  expiresAt: number;
  revokedAt: number | null;
  minAssurance: Assurance;
  replaces: string | null;
  state: "valid" | "expired" | "spent" | "revoked";
}

/** The one time that the secret is told. */
export interface CreatedJoinToken extends JoinTokenInfo {
  secret: string;
  /** SHA-256 of the CA certificate, base64url. */
  caPin: string;
}

const MAX_USES = 100_000;

/** Join tokens: who may enroll, where, how often and until when. */
export class JoinTokens {
  readonly #stores: Stores;
  readonly #caPin: string;
  readonly #now: () => number;

  constructor(stores: Stores, caPin: string, now: () => number) {
    this.#stores = stores;
    this.#caPin = caPin;
    this.#now = now;
  }

  /** @throws MusterError `request.invalid`, `storage.full` */
  async create(token: NewJoinToken): Promise<CreatedJoinToken> {
    const now = this.#now();
    const site = validate(SitePath, token.site, "request.invalid");
    const labels = validate(LabelsSchema, token.labels ?? {}, "request.invalid");
    if (!Number.isInteger(token.uses) || token.uses < 1 || token.uses > MAX_USES)
      throw new MusterError("request.invalid", `A token has 1 to ${MAX_USES} uses, not ${token.uses}.`);
    if (!Number.isInteger(token.expiresAt) || token.expiresAt <= now)
      throw new MusterError("request.invalid", "The end of a token lies in the future.");
    const minAssurance = token.minAssurance ?? "software";
    if (!ASSURANCES.includes(minAssurance))
      throw new MusterError("request.invalid", `There is no assurance ${String(minAssurance)}.`);
    if (token.replaces !== undefined && token.uses !== 1)
      throw new MusterError("request.invalid", "A token for the place of a device has one use.");
    const { id, secret } = newSecret("token");
    const row: JoinTokensTable = {
      id,
      secret_hash: hashOfSecret(secret),
      site,
      labels: JSON.stringify(labels),
      uses: token.uses,
      uses_left: token.uses,
      created_at: now,
      expires_at: token.expiresAt,
      revoked_at: null,
      min_assurance: minAssurance,
      replaces: token.replaces ?? null,
    };
    await this.#stores.writeControl((db) => {
      db.prepare(
        `INSERT INTO join_tokens (id, secret_hash, site, labels, uses, uses_left, created_at, expires_at,
         min_assurance, replaces) VALUES (@id, @secret_hash, @site, @labels, @uses, @uses_left, @created_at,
         @expires_at, @min_assurance, @replaces)`,
      ).run(row);
    });
    return { ...infoOf(row, now), secret, caPin: this.#caPin };
  }

  /** Newest first. */
  async list(): Promise<JoinTokenInfo[]> {
    const rows = await this.#stores.control
      .selectFrom("join_tokens")
      .selectAll()
      .orderBy("created_at", "desc")
      .orderBy("id")
      .execute();
    return rows.map((row) => infoOf(row, this.#now()));
  }

  /** Repeating it changes nothing. Devices that are enrolled stay. @throws MusterError `request.not-found` */
  async revoke(id: string): Promise<JoinTokenInfo> {
    await this.#stores.writeControl((db) => {
      db.prepare("UPDATE join_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL").run(
        this.#now(),
        id,
      );
    });
    const row = await this.#stores.control
      .selectFrom("join_tokens")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirst();
    if (!row) throw new MusterError("request.not-found", `There is no join token ${id}.`);
    return infoOf(row, this.#now());
  }
}

/**
 * The token that `<id>.<secret>` names, whatever its state.
 * @throws MusterError `token.invalid`, the same for an unknown id and for a wrong secret
 */
export function findToken(text: string, read: (id: string) => JoinTokensTable | undefined): JoinTokensTable {
  const [id = "", secret = "", ...rest] = text.split(".");
  const row = rest.length === 0 ? read(id) : undefined;
  if (!matchesSecret(secret, row?.secret_hash) || !row) throw new MusterError("token.invalid");
  return row;
}

const REFUSALS: Readonly<Record<Exclude<JoinTokenInfo["state"], "valid">, ErrorCode>> = {
  expired: "token.expired",
  spent: "token.spent",
  revoked: "token.revoked",
};

/** Why the token lets nobody in now, undefined when it does. */
export function tokenRefusal(row: JoinTokensTable, now: number): ErrorCode | undefined {
  const state = stateOf(row, now);
  return state === "valid" ? undefined : REFUSALS[state];
}

function stateOf(row: JoinTokensTable, now: number): JoinTokenInfo["state"] {
  if (row.revoked_at !== null) return "revoked";
  if (row.expires_at <= now) return "expired";
  return row.uses_left > 0 ? "valid" : "spent";
}

const infoOf = (row: JoinTokensTable, now: number): JoinTokenInfo => ({
  id: row.id,
  site: row.site,
  labels: JSON.parse(row.labels) as Labels,
  uses: row.uses,
  usesLeft: row.uses_left,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  minAssurance: row.min_assurance,
  replaces: row.replaces,
  state: stateOf(row, now),
});
