import type { Migration } from "kysely";
import { fleetMigration } from "./0001-fleet.ts";
import { releasesMigration } from "./0002-releases.ts";
import { rolloutsMigration } from "./0003-rollouts.ts";
import { operatorsMigration } from "./0004-operators.ts";
import { targetingMigration } from "./0005-targeting.ts";
import { freezesMigration } from "./0006-freezes.ts";
import { alertsMigration } from "./0007-alerts.ts";
import { telemetryMigration } from "./telemetry-0001.ts";
import { healthMigration } from "./telemetry-0002-health.ts";
import { exposuresMigration } from "./telemetry-0003-exposures.ts";

/** Migrations of control.db by name; they run in the order of their names and never change once released. */
export const controlMigrations: Record<string, Migration> = {
  "0001-fleet": fleetMigration,
  "0002-releases": releasesMigration,
  "0003-rollouts": rolloutsMigration,
  "0004-operators": operatorsMigration,
  "0005-targeting": targetingMigration,
  "0006-freezes": freezesMigration,
  "0007-alerts": alertsMigration,
};

export const telemetryMigrations: Record<string, Migration> = {
  "0001-telemetry": telemetryMigration,
  "0002-health": healthMigration,
  "0003-exposures": exposuresMigration,
};
