import { randomUUID } from "node:crypto";
import { type ErrorCode, MusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { Selectable } from "kysely";
import type { Assurance } from "../attestation/verdict.ts";
import type { Stores } from "../storage/database.ts";
import type { DevicesTable } from "../storage/tables/fleet.ts";
import type { DeviceCommands } from "./device-commands.ts";
import type { CreatedJoinToken, JoinTokens } from "./join-tokens.ts";

export interface StandingPorts {
  tokens: Pick<JoinTokens, "create">;
  commands: Pick<DeviceCommands, "issue" | "conclude">;
  /** The live session and the open connections of the device have to end, and what waits for it has to go. */
  onRevoked(device: string, reason: string): void;
  /** It may speak, and gets nothing new: what waits for it at the broker has to go. */
  onQuarantined(device: string, reason: string): void;
  /** It gets its newest directive again, if it has one and passes attestation. */
  onReleased(device: string): void;
  /** A signed command (JSON text) has to reach the device. */
  onCommand(device: string, document: string): void;
}

/** A token for a board that was swapped. Times in milliseconds. */
export interface Replacement {
  expiresAt: number;
  minAssurance?: Assurance;
}

type Known = Pick<Selectable<DevicesTable>, "status" | "site" | "assurance" | "replaced_by">;

/** Whether a device belongs to the fleet, and what it may: quarantine and release, revocation, replacement, wiping. */
export class DeviceStanding {
  readonly #stores: Stores;
  readonly #ports: StandingPorts;
  readonly #now: () => number;

  constructor(stores: Stores, ports: StandingPorts, now: () => number) {
    this.#stores = stores;
    this.#ports = ports;
    this.#now = now;
  }

  /**
   * Puts a device out for good and cuts its connections; repeating it changes nothing.
   * @throws MusterError `request.not-found`
   */
  async revoke(device: string, reason: string): Promise<void> {
    await this.#stores.writeControl((db) => {
      known(db, device);
      putOut(db, device, reason, this.#now());
    });
    this.#ports.onRevoked(device, reason);
  }

  /**
   * Keeps everything new from a device until it is released; it goes on with what it has, may connect and is
   * appraised. Repeating it keeps the first reason.
   * @throws MusterError `request.not-found`, `request.conflict` for a revoked device
   */
  async quarantine(device: string, reason: string): Promise<void> {
    const isNew = await this.#stores.writeControl((db) => {
      if (known(db, device).status === "revoked") throw revoked(device);
      return this.#quarantine(db, device, reason);
    });
    if (isNew) this.#ports.onQuarantined(device, reason);
  }

  /** Ends a quarantine; repeating it changes nothing. @throws MusterError `request.not-found`, `request.conflict` */
  async release(device: string): Promise<void> {
    const wasKept = await this.#stores.writeControl((db) => {
      const { status } = known(db, device);
      if (status === "revoked") throw revoked(device);
      if (status === "active") return false;
      const wiping = db
        .prepare("SELECT 1 FROM device_commands WHERE device = ? AND kind = 'wipe' AND ended_at IS NULL")
        .get(device);
      if (wiping)
        throw new MusterError(
          "request.conflict",
          `${device} was told to wipe itself: it does not come back.`,
        );
      db.prepare(
        "UPDATE devices SET status = 'active', quarantined_at = NULL, quarantined_reason = NULL WHERE id = ?",
      ).run(device);
      note(db, device, "device.released", "The quarantine has ended.", this.#now());
      return true;
    });
    if (wasKept) this.#ports.onReleased(device);
  }

  /**
   * A token with one use, with which another board takes the place of this device: its name, site and labels. Whoever
   * enrolls with it ends the old record.
   * @throws MusterError `request.not-found`, `request.conflict` for one that was replaced already
   */
  async replace(device: string, { expiresAt, minAssurance }: Replacement): Promise<CreatedJoinToken> {
    const row = known(this.#stores.controlRaw, device);
    if (row.replaced_by !== null)
      throw new MusterError("request.conflict", `${device} was replaced by ${row.replaced_by} already.`);
    return await this.#ports.tokens.create({
      site: row.site,
      uses: 1,
      expiresAt,
      // The board that follows may be surer and not less sure, unless the operator says so.
      minAssurance: minAssurance ?? row.assurance,
      replaces: device,
    });
  }

  /**
   * Tells a device to wipe itself. Until it says that it did, it is in quarantine; from then on it counts as revoked.
   * @throws MusterError `request.not-found`, `request.conflict` for a revoked device
   */
  async decommission(device: string, reason: string): Promise<void> {
    const document = await this.#stores.writeControl((db) => {
      if (known(db, device).status === "revoked") throw revoked(device);
      this.#quarantine(db, device, reason);
      return this.#ports.commands.issue(db, device, "wipe");
    });
    this.#ports.onQuarantined(device, reason);
    this.#ports.onCommand(device, document);
  }

  /**
   * A device told that it has wiped itself. Nothing happens to one that was not told to: only an operator puts a
   * device out.
   */
  async wiped(device: string, outcome: string): Promise<void> {
    const was = await this.#stores.writeControl((db) => {
      if (!this.#ports.commands.conclude(db, device, "wipe", outcome)) return false;
      putOut(db, device, "Decommissioned: it has wiped itself.", this.#now());
      db.prepare("UPDATE devices SET decommissioned_at = ? WHERE id = ?").run(this.#now(), device);
      return true;
    });
    if (!was) return;
    this.#ports.onRevoked(device, "decommissioned");
  }

  #quarantine(db: Database, device: string, reason: string): boolean {
    const now = this.#now();
    const { changes } = db
      .prepare(
        `UPDATE devices SET status = 'quarantined', quarantined_at = ?, quarantined_reason = ?
         WHERE id = ? AND status = 'active'`,
      )
      .run(now, reason, device);
    if (changes > 0) note(db, device, "device.quarantined", reason, now);
    return changes > 0;
  }
}

function known(db: Database, device: string): Known {
  const row = db
    .prepare("SELECT status, site, assurance, replaced_by FROM devices WHERE id = ?")
    .get(device) as Known | undefined;
  if (!row) throw new MusterError("request.not-found", `There is no device ${device}.`);
  return row;
}

const revoked = (device: string): MusterError =>
  new MusterError("request.conflict", `${device} is revoked: it gets nothing any more.`);

function putOut(db: Database, device: string, reason: string, now: number): void {
  db.prepare(
    "UPDATE devices SET status = 'revoked', revoked_at = ?, revoked_reason = ? WHERE id = ? AND status <> 'revoked'",
  ).run(now, reason, device);
  db.prepare(
    "UPDATE device_commands SET ended_at = ?, outcome = ? WHERE device = ? AND ended_at IS NULL",
  ).run(now, "The device was revoked.", device);
}

/** Into the timeline of the device. */
function note(db: Database, device: string, code: ErrorCode, message: string, now: number): void {
  db.prepare(
    `INSERT INTO device_events (id, device, source, code, message, at, received_at)
     VALUES (?, ?, 'control-plane', ?, ?, ?, ?)`,
  ).run(`${device}/${randomUUID()}`, device, code, message.slice(0, 1000), now, now);
}
