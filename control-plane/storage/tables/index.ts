import type { AlertTables } from "./alerts.ts";
import type { EnergyTables } from "./energy.ts";
import type { FleetTables } from "./fleet.ts";
import type { FreezeTables } from "./freezes.ts";
import type { OperatorTables } from "./operators.ts";
import type { ReleaseTables } from "./releases.ts";
import type { RolloutTables } from "./rollouts.ts";
import type { ShadowTables } from "./shadow.ts";
import type { TargetingTables } from "./targeting.ts";

/** All tables of control.db; each module adds its own. */
export type ControlTables = AlertTables &
  EnergyTables &
  FleetTables &
  FreezeTables &
  OperatorTables &
  ReleaseTables &
  RolloutTables &
  ShadowTables &
  TargetingTables;

export type { TelemetryTables } from "./telemetry.ts";
