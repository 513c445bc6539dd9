import type { Directory } from "../fleet/directory.ts";
import type { Stores } from "../storage/database.ts";
import { HealthBook } from "./book.ts";
import { KnownReleases } from "./known-releases.ts";
import { HeartbeatLedger } from "./ledger.ts";
import { HealthReports } from "./reports.ts";

/** Health of the fleet: what heartbeats are counted into, what follows for each device, and what operators ask. */
export interface Health {
  ledger: HeartbeatLedger;
  book: HealthBook;
  reports: HealthReports;
}

/** @throws MusterError `storage.broken` */
export async function openHealth(stores: Stores, directory: Directory, now: () => number): Promise<Health> {
  const releases = new KnownReleases(stores.controlReader, now);
  const ledger = await HeartbeatLedger.open(stores, {
    placeOf: (device) => {
      // One that has just enrolled is in the database already.
      if (!directory.get(device)) directory.refresh();
      return directory.get(device);
    },
    isRelease: (digest) => releases.has(digest),
    now,
  });
  const book = new HealthBook(ledger, directory, stores, now);
  const reports = new HealthReports(book, ledger, directory, (name) => releases.digestOf(name), now);
  return { ledger, book, reports };
}
