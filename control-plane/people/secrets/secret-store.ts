import { randomBytes } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import {
  type DeviceSecrets,
  SECRET_BYTES,
  SECRETS_OF_DEVICE_BYTES,
} from "@muster/shared/protocol/device-secrets";
import { sha256 } from "@muster/shared/trust/digest";
import { sealTo } from "@muster/shared/trust/sealed-box";
import type { Kysely } from "kysely";
import type { Directory } from "../../fleet/directory.ts";
import { newId } from "../../ids.ts";
import type { ControlTables } from "../../storage/tables/index.ts";
import { inTransaction } from "../../storage/transaction.ts";
import type { MasterKeys } from "./master-keys.ts";
import { readScope, type SecretScope, scopeText, secretsFor } from "./scope.ts";

type Row = ControlTables["secrets"];

/** A secret as it can be seen: everything but its value. */
export interface SecretInfo {
  id: string;
  name: string;
  scope: SecretScope;
  /** Which master key it is stored under. */
  keyId: string;
  /** Grows with each new value. */
  version: number;
  changedBy: string;
  /** Milliseconds since the epoch. */
  changedAt: number;
}

/** What a device gets, and a tag that changes with it. */
export interface Delivery {
  document: DeviceSecrets;
  etag: string;
}

export interface SecretsParts {
  db: Kysely<ControlTables>;
  keys: MasterKeys;
  directory: Directory;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Secrets of all places, at most. */
const MOST = 5_000;
/** Boards that were swapped one after the other at a place, those that are looked at. */
const MOST_BOARDS = 32;

const about = ({ id, name, scope, version }: Pick<Row, "id" | "name" | "scope" | "version">): string =>
  JSON.stringify(["muster-secret/1", id, name, scope, version]);

/** Secrets of devices: they go in, and out only to the devices, sealed to each. */
export class SecretStore {
  readonly #parts: SecretsParts;

  constructor(parts: SecretsParts) {
    this.#parts = parts;
  }

  /**
   * Sets a value for devices; one that was set there before is gone.
   * @throws MusterError `secret.invalid`, `request.conflict` for too many secrets
   */
  async set(name: string, scope: SecretScope, value: Uint8Array, by: string): Promise<SecretInfo> {
    if (value.byteLength === 0 || value.byteLength > SECRET_BYTES)
      throw new MusterError(
        "secret.invalid",
        `A value has 1 to ${SECRET_BYTES} bytes, not ${value.byteLength}.`,
      );
    const { db, keys, now } = this.#parts;
    const text = scopeText(scope);
    return await inTransaction(db, async (tx) => {
      const known = await tx
        .selectFrom("secrets")
        .selectAll()
        .where("name", "=", name)
        .where("scope", "=", text)
        .executeTakeFirst();
      const { count } = await tx
        .selectFrom("secrets")
        .select((select) => select.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      if (!known && count >= MOST)
        throw new MusterError("request.conflict", `There are ${MOST} secrets already: remove some.`);
      const head = {
        id: known?.id ?? newId("secret"),
        name,
        scope: text,
        version: (known?.version ?? 0) + 1,
      };
      const { keyId, sealed } = keys.seal(value, about(head));
      const row: Row = { ...head, key_id: keyId, sealed, changed_by: by, changed_at: now() };
      await tx
        .insertInto("secrets")
        .values(row)
        .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
        .execute();
      return infoOf(row);
    });
  }

  /** By name, then by scope. */
  async list(): Promise<SecretInfo[]> {
    return (await this.#rows()).map(infoOf);
  }

  /** @throws MusterError `request.not-found` */
  async get(id: string): Promise<SecretInfo> {
    const found = (await this.list()).find((secret) => secret.id === id);
    if (!found) throw new MusterError("request.not-found", `There is no secret ${id}.`);
    return found;
  }

  /** Devices remove it when they ask the next time. @throws MusterError `request.not-found` */
  async remove(id: string): Promise<SecretInfo> {
    const secret = await this.get(id);
    await this.#parts.db.deleteFrom("secrets").where("id", "=", id).execute();
    return secret;
  }

  /** Seals every secret anew under a new master key and forgets the former ones. Answers how many. */
  async rotate(): Promise<{ keyId: string; secrets: number }> {
    const { db, keys } = this.#parts;
    // A crash in between leaves both keys in the file, and every secret under one of them.
    await keys.addKey();
    const secrets = await inTransaction(db, async (tx) => {
      const rows = await tx.selectFrom("secrets").selectAll().execute();
      for (const row of rows) {
        const plain = keys.open({ keyId: row.key_id, sealed: row.sealed }, about(row));
        const { keyId, sealed } = keys.seal(plain, about(row));
        plain.fill(0);
        await tx.updateTable("secrets").set({ key_id: keyId, sealed }).where("id", "=", row.id).execute();
      }
      return rows.length;
    });
    await keys.forgetOld();
    return { keyId: keys.current, secrets };
  }

  /** Which secrets a device gets. @throws MusterError `request.not-found` */
  async ofDevice(device: string): Promise<SecretInfo[]> {
    return (await this.#meantFor(device)).map(infoOf);
  }

  /**
   * The secrets of a device, each sealed to it.
   * @throws MusterError `secret.withheld`, `secret.no-sealing-key`, `secret.invalid` where all together are too large,
   * `secret.key-missing`, `secret.unreadable`
   */
  async deliver(device: string, known: string | undefined): Promise<Delivery | undefined> {
    const rows = await this.#meantFor(device);
    const because = this.#parts.directory.withheldBecause(device);
    if (because !== undefined) throw new MusterError("secret.withheld", because);
    const to = await this.#sealingKeyOf(device);
    const etag = `"${sha256(JSON.stringify([to, rows.map(({ id, version }) => [id, version])])).slice(7, 39)}"`;
    if (etag === known) return undefined;
    let bytes = 0;
    const secrets = rows.map((row) => {
      const { name, version, key_id: keyId, sealed } = row;
      const value = this.#parts.keys.open({ keyId, sealed }, about(row));
      bytes += value.byteLength;
      const content = JSON.stringify({ device, name, version, value: value.toString("base64") });
      value.fill(0);
      return { name, version, box: sealTo(to, Buffer.from(content), randomBytes(32)) };
    });
    if (bytes > SECRETS_OF_DEVICE_BYTES)
      throw new MusterError(
        "secret.invalid",
        `The secrets of this device have ${bytes} bytes; ${SECRETS_OF_DEVICE_BYTES} is the most.`,
      );
    return { document: { v: 1, secrets }, etag };
  }

  async #meantFor(device: string): Promise<Row[]> {
    const { directory } = this.#parts;
    directory.refresh();
    const subject = directory.get(device);
    if (!subject) throw new MusterError("request.not-found", `There is no device ${device}.`);
    const rows = await this.#rows();
    const scoped = rows.map((row) => ({
      row,
      name: row.name,
      scope: readScope(row.scope),
      changedAt: row.changed_at,
    }));
    return secretsFor(scoped, subject, await this.#placesOf(device)).map(({ row }) => row);
  }

  /** The device, the board whose place it took, the one before that, and so on. */
  async #placesOf(device: string): Promise<string[]> {
    const places = [device];
    for (let last = device; places.length <= MOST_BOARDS; ) {
      const row = await this.#parts.db
        .selectFrom("devices")
        .select("replaces")
        .where("id", "=", last)
        .executeTakeFirst();
      if (!row?.replaces || places.includes(row.replaces)) break;
      last = row.replaces;
      places.push(last);
    }
    return places;
  }

  async #sealingKeyOf(device: string): Promise<string> {
    const row = await this.#parts.db
      .selectFrom("devices")
      .select("sealing_key")
      .where("id", "=", device)
      .executeTakeFirst();
    if (!row?.sealing_key) throw new MusterError("secret.no-sealing-key");
    return row.sealing_key;
  }

  #rows(): Promise<Row[]> {
    return this.#parts.db.selectFrom("secrets").selectAll().orderBy("name").orderBy("scope").execute();
  }
}

const infoOf = (row: Row): SecretInfo => ({
  id: row.id,
  name: row.name,
  scope: readScope(row.scope),
  keyId: row.key_id,
  version: row.version,
  changedBy: row.changed_by,
  changedAt: row.changed_at,
});
