import type { Database } from "better-sqlite3";
import type { FreshBatch } from "../ingest/entries.ts";
import type { RecordObserver } from "../ingest/record-observer.ts";
import type { Stores } from "../storage/database.ts";
import type { DeviceStanding } from "./device-standing.ts";

/** Hears devices tell that they have wiped themselves, which ends their time in the fleet. */
export class WipeWitness implements RecordObserver {
  readonly #standing: Pick<DeviceStanding, "wiped">;
  readonly #failed: (error: unknown) => void;

  constructor(standing: Pick<DeviceStanding, "wiped">, failed: (error: unknown) => void) {
    this.#standing = standing;
    this.#failed = failed;
  }

  async prepare(): Promise<void> {}

  store(_db: Database): void {}

  stored(batches: readonly FreshBatch[]): void {
    for (const { device, records } of batches)
      for (const record of records)
        if (record.kind === "event" && record.body.code === "command.wiped")
          this.#standing.wiped(device, record.body.message).catch(this.#failed);
  }

  /** The event is stored before it is heard: what a restart came between is heard now. */
  async recover(stores: Pick<Stores, "control">): Promise<void> {
    const told = await stores.control
      .selectFrom("device_commands")
      .innerJoin("device_events", "device_events.device", "device_commands.device")
      .select(["device_commands.device", "device_events.message"])
      .where("device_commands.kind", "=", "wipe")
      .where("device_commands.ended_at", "is", null)
      .where("device_events.code", "=", "command.wiped")
      .where("device_events.source", "=", "device")
      .execute();
    for (const { device, message } of told) await this.#standing.wiped(device, message);
  }
}
