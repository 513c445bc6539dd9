import type { CommandKind } from "@muster/shared/protocol/command";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import { signCommand } from "@muster/shared/trust/command";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import { newId } from "../ids.ts";
import type { Stores } from "../storage/database.ts";
import type { DeviceCommandsTable } from "../storage/tables/enrollment.ts";

/** A box that was in a drawer may come back after that long and still be told. */
const VALIDITY_MS = 30 * 86_400_000;

/** What devices were told to do once: signed here, kept until each has told how it went. */
export class DeviceCommands {
  readonly #stores: Pick<Stores, "control">;
  readonly #key: SigningKey;
  readonly #now: () => number;

  /** @param key the online key that signs directives too */
  constructor(stores: Pick<Stores, "control">, key: SigningKey, now: () => number) {
    this.#stores = stores;
    this.#key = key;
    this.#now = now;
  }

  /**
   * Stores a signed command within the caller's transaction; publish the text after the commit. One of the same kind
   * that the device has not answered yet is replaced.
   */
  issue(db: Database, device: string, kind: CommandKind): string {
    const issuedAt = this.#now();
    const payload = {
      v: PROTOCOL_VERSION,
      id: newId("command"),
      audience: device,
      issuedAt,
      notAfter: issuedAt + VALIDITY_MS,
      kind,
    } as const;
    const document = JSON.stringify(signCommand(payload, this.#key));
    db.prepare(
      "UPDATE device_commands SET ended_at = ?, outcome = ? WHERE device = ? AND kind = ? AND ended_at IS NULL",
    ).run(issuedAt, "Given again.", device, kind);
    db.prepare(
      `INSERT INTO device_commands (id, device, kind, document, issued_at, not_after)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ).run(payload.id, device, kind, document, issuedAt, payload.notAfter);
    return document;
  }

  /** Within the caller's transaction: the device told how it went. @returns false when nothing was asked of it */
  conclude(db: Database, device: string, kind: CommandKind, outcome: string): boolean {
    const { changes } = db
      .prepare(
        "UPDATE device_commands SET ended_at = ?, outcome = ? WHERE device = ? AND kind = ? AND ended_at IS NULL",
      )
      .run(this.#now(), outcome, device, kind);
    return changes > 0;
  }

  /** Those that wait for their device: the broker keeps them in memory only. */
  async waiting(): Promise<Pick<DeviceCommandsTable, "device" | "document">[]> {
    return await this.#stores.control
      .selectFrom("device_commands")
      .select(["device", "document"])
      .where("ended_at", "is", null)
      .where("not_after", ">", this.#now())
      .orderBy("issued_at")
      .execute();
  }
}
