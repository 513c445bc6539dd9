import type { AlertTables } from "./alerts.ts";
import type { AttestationTables } from "./attestation.ts";
import type { AuditTables } from "./audit.ts";
import type { EnergyTables } from "./energy.ts";
import type { EnrollmentTables } from "./enrollment.ts";
import type { FleetTables } from "./fleet.ts";
import type { FreezeTables } from "./freezes.ts";
import type { ModelKeyTables } from "./model-keys.ts";
import type { PeopleTables } from "./people.ts";
import type { ReleaseTables } from "./releases.ts";
import type { RolloutTables } from "./rollouts.ts";
import type { ShadowTables } from "./shadow.ts";
import type { TargetingTables } from "./targeting.ts";

/** All tables of control.db; each module adds its own. */
export type ControlTables = AlertTables &
  AttestationTables &
  AuditTables &
  EnergyTables &
  EnrollmentTables &
  FleetTables &
  FreezeTables &
  ModelKeyTables &
  PeopleTables &
  ReleaseTables &
  RolloutTables &
  ShadowTables &
  TargetingTables;

export type { TelemetryTables } from "./telemetry.ts";
