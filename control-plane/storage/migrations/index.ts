import type { Migration } from "kysely";
import { fleetMigration } from "./0001-fleet.ts";
import { releasesMigration } from "./0002-releases.ts";
import { rolloutsMigration } from "./0003-rollouts.ts";
import { operatorsMigration } from "./0004-operators.ts";
import { targetingMigration } from "./0005-targeting.ts";
import { freezesMigration } from "./0006-freezes.ts";
import { alertsMigration } from "./0007-alerts.ts";
import { shadowMigration } from "./0008-shadow.ts";
import { energyMigration } from "./0009-energy.ts";
import { enrollmentMigration } from "./0010-enrollment.ts";
import { attestationMigration } from "./0011-attestation.ts";
import { modelKeysMigration } from "./0012-model-keys.ts";
import { peopleMigration } from "./0013-people.ts";
import { auditMigration } from "./0014-audit.ts";
import { telemetryMigration } from "./telemetry-0001.ts";
import { healthMigration } from "./telemetry-0002-health.ts";
import { exposuresMigration } from "./telemetry-0003-exposures.ts";
import { driftMigration } from "./telemetry-0004-drift.ts";
import { examplesMigration } from "./telemetry-0005-examples.ts";
import { withheldMigration } from "./telemetry-0006-withheld.ts";

/** Migrations of control.db by name; they run in the order of their names and never change once released. */
export const controlMigrations: Record<string, Migration> = {
  "0001-fleet": fleetMigration,
  "0002-releases": releasesMigration,
  "0003-rollouts": rolloutsMigration,
  "0004-operators": operatorsMigration,
  "0005-targeting": targetingMigration,
  "0006-freezes": freezesMigration,
  "0007-alerts": alertsMigration,
  "0008-shadow": shadowMigration,
  "0009-energy": energyMigration,
  "0010-enrollment": enrollmentMigration,
  "0012-model-keys": modelKeysMigration,
  "0013-people": peopleMigration,
  "0014-audit": auditMigration,
  "0011-attestation": attestationMigration,
};

export const telemetryMigrations: Record<string, Migration> = {
  "0001-telemetry": telemetryMigration,
  "0002-health": healthMigration,
  "0003-exposures": exposuresMigration,
  "0004-drift": driftMigration,
  "0005-examples": examplesMigration,
  "0006-withheld": withheldMigration,
};
