import type { Migration } from "kysely";
import { fleetMigration } from "./0001-fleet.ts";
import { releasesMigration } from "./0002-releases.ts";
import { rolloutsMigration } from "./0003-rollouts.ts";
import { operatorsMigration } from "./0004-operators.ts";
import { telemetryMigration } from "./telemetry-0001.ts";

/** Migrations of control.db by name; they run in the order of their names and never change once released. */
export const controlMigrations: Record<string, Migration> = {
  "0001-fleet": fleetMigration,
  "0002-releases": releasesMigration,
  "0003-rollouts": rolloutsMigration,
  "0004-operators": operatorsMigration,
};

export const telemetryMigrations: Record<string, Migration> = {
  "0001-telemetry": telemetryMigration,
};
