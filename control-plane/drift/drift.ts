import { buffer } from "node:stream/consumers";
import { MusterError } from "@muster/shared/errors";
import type { Directory } from "../fleet/directory.ts";
import { KnownReleases } from "../health/known-releases.ts";
import type { Scopes } from "../health/scopes.ts";
import type { ArtifactStore } from "../releases/artifact-store.ts";
import type { Stores } from "../storage/database.ts";
import { DriftLedger } from "./drift-ledger.ts";
import { DriftReports } from "./drift-reports.ts";
import { ReferenceBook } from "./reference-book.ts";
import { alarms } from "./standings.ts";

/** Largest reference set that is read, bytes: 64 features of 65 bins are some 100 KiB. */
const MOST_BYTES = 2 * 1024 ** 2;

/** Drift of the fleet: what windows are added up into, and what operators ask. */
export interface Drift {
  ledger: DriftLedger;
  reports: DriftReports;
  /** Models of a device with an alarm now; undefined where nothing is known. */
  driftingModels(device: string): number | undefined;
}

/** @param scopes those of health: both count for the same devices, sites and classes */
export function openDrift(
  stores: Stores,
  scopes: Scopes,
  artifacts: Pick<ArtifactStore, "size" | "read">,
  directory: Directory,
  now: () => number,
): Drift {
  const read = async (hex: string): Promise<Uint8Array> => {
    const size = await artifacts.size(hex);
    if (size === undefined || size > MOST_BYTES)
      throw new MusterError("release.artifact-missing", `There is no reference set ${hex} of usual size.`);
    return await buffer(artifacts.read(hex));
  };
  const references = new ReferenceBook(stores.controlReader, read, now);
  const ledger = new DriftLedger(stores, scopes, {
    references,
    placeOf: (device) => {
      if (!directory.get(device)) directory.refresh();
      return directory.get(device);
    },
    now,
  });
  const releases = new KnownReleases(stores.controlReader, now);
  const reports = new DriftReports({
    ledger,
    references,
    scopes,
    directory,
    digestOf: (named) => releases.digestOf(named),
    now,
  });
  const driftingModels = (device: string): number | undefined => {
    const standings = ledger.standings.of(device, directory.get(device)?.running?.digest, now());
    return standings.length === 0 ? undefined : standings.filter(([, standing]) => alarms(standing)).length;
  };
  return { ledger, reports, driftingModels };
}
