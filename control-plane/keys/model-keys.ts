import { MusterError } from "@muster/shared/errors";
import { sha256 } from "@muster/shared/trust/digest";
import { KEY_BYTES } from "@muster/shared/trust/sealed/header";
import type { Kysely } from "kysely";
import type { Actor } from "../rollouts/model.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";
import type { MasterKey } from "./master-key.ts";

export interface ModelKeyView {
  id: string;
  name: string;
  createdBy: string;
  createdAt: number;
  withdrawn: { by: string; at: number } | null;
  /** Releases that need it, `NAME VERSION`. */
  releases: string[];
  /** Devices whose lease is not over. */
  leases: number;
}

/** Keys of sealed models: put by who seals, wrapped with the master key, and shown to nobody. */
export class ModelKeys {
  readonly #db: Kysely<ControlTables>;
  readonly #master: MasterKey;
  readonly #clock: () => number;

  constructor(db: Kysely<ControlTables>, master: MasterKey, clock: () => number) {
    this.#db = db;
    this.#master = master;
    this.#clock = clock;
  }

  /**
   * Stores a key; the same key again is no change.
   * @param given `key`: 32 bytes, base64
   * @throws MusterError `key.exists` where the id names another key, `request.invalid` for another length
   */
  async put(id: string, given: { name: string; key: string }, actor: Actor): Promise<ModelKeyView> {
    const secret = Buffer.from(given.key, "base64");
    try {
      if (secret.length !== KEY_BYTES)
        throw new MusterError("request.invalid", `A model key has ${KEY_BYTES} bytes.`);
      const digest = sha256(secret);
      const wrapped = this.#master.wrap(id, secret);
      await inTransaction(this.#db, async (tx) => {
        const known = await tx
          .selectFrom("model_keys")
          .select("digest")
          .where("id", "=", id)
          .executeTakeFirst();
        if (known && known.digest !== digest) throw new MusterError("key.exists");
        if (known) return;
        const created = { created_by: actor.name, created_at: this.#clock() };
        await tx
          .insertInto("model_keys")
          .values({
            id,
            name: given.name,
            wrapped,
            digest,
            ...created,
            withdrawn_by: null,
            withdrawn_at: null,
          })
          .execute();
      });
    } finally {
      secret.fill(0);
    }
    return await this.get(id);
  }

  /**
   * Forgets the key itself for good: no device gets a lease any more; those that are out run to their end.
   * @throws MusterError `key.unknown`
   */
  async withdraw(id: string, actor: Actor): Promise<ModelKeyView> {
    const view = await this.get(id);
    if (view.withdrawn) return view;
    await this.#db
      .updateTable("model_keys")
      .set({ wrapped: null, withdrawn_by: actor.name, withdrawn_at: this.#clock() })
      .where("id", "=", id)
      .execute();
    return await this.get(id);
  }

  /** Newest first. */
  async list(): Promise<ModelKeyView[]> {
    const rows = await this.#db
      .selectFrom("model_keys")
      .selectAll()
      .orderBy("created_at", "desc")
      .orderBy("id")
      .execute();
    const needed = await this.#db
      .selectFrom("release_keys")
      .innerJoin("releases", "releases.digest", "release_keys.release")
      .select(["key", "releases.name", "releases.version"])
      .orderBy("releases.created_at", "desc")
      .execute();
    const leases = await this.#db
      .selectFrom("model_key_leases")
      .select(({ fn }) => ["key", fn.countAll<number>().as("devices")])
      .where("not_after", ">", this.#clock())
      .groupBy("key")
      .execute();
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      createdBy: row.created_by,
      createdAt: row.created_at,
      withdrawn: row.withdrawn_at === null ? null : { by: row.withdrawn_by ?? "", at: row.withdrawn_at },
      releases: needed.filter(({ key }) => key === row.id).map(({ name, version }) => `${name} ${version}`),
      leases: Number(leases.find(({ key }) => key === row.id)?.devices ?? 0),
    }));
  }

  /** @throws MusterError `key.unknown` */
  async get(id: string): Promise<ModelKeyView> {
    const found = (await this.list()).find((view) => view.id === id);
    if (!found) throw new MusterError("key.unknown", `There is no model key ${id}.`);
    return found;
  }

  /** The 32 bytes; the caller wipes them. @throws MusterError `key.unknown`, `key.withdrawn`, `key.not-unwrapped` */
  async open(id: string): Promise<Buffer> {
    const row = await this.#db
      .selectFrom("model_keys")
      .select("wrapped")
      .where("id", "=", id)
      .executeTakeFirst();
    if (!row) throw new MusterError("key.unknown", `There is no model key ${id}.`);
    if (row.wrapped === null) throw new MusterError("key.withdrawn");
    return this.#master.unwrap(id, row.wrapped);
  }
}
