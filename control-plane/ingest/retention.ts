import type { Stores } from "../storage/database.ts";
import { dropOldDays } from "../storage/day-tables.ts";

export interface RetentionSettings {
  resultDays: number;
  eventsPerDevice: number;
}

/** Outboxes remembered for each device; a device has a new one only after it lost its disk. */
const OUTBOXES_PER_DEVICE = 8;

/**
 * Drops the day tables, events and outbox positions that exceed what the settings keep.
 * @returns the names of the dropped tables
 */
export async function applyRetention(
  stores: Stores,
  settings: RetentionSettings,
  now: number,
): Promise<string[]> {
  await stores.writeControl((db) =>
    db
      .prepare(
        `DELETE FROM device_events WHERE id IN (
           SELECT id FROM (
             SELECT id, row_number() OVER (PARTITION BY device ORDER BY received_at DESC, id) AS place
             FROM device_events) AS placed
           WHERE place > ?)`,
      )
      .run(settings.eventsPerDevice),
  );
  return await stores.writeTelemetry((db) => {
    db.prepare(
      `DELETE FROM outbox_positions WHERE (device, outbox) IN (
         SELECT device, outbox FROM (
           SELECT device, outbox, row_number() OVER (PARTITION BY device ORDER BY at DESC, outbox) AS place
           FROM outbox_positions) AS placed
         WHERE place > ?)`,
    ).run(OUTBOXES_PER_DEVICE);
    return dropOldDays(db, now, settings.resultDays);
  });
}
