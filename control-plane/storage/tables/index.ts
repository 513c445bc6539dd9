import type { AlertTables } from "./alerts.ts";
import type { FleetTables } from "./fleet.ts";
import type { FreezeTables } from "./freezes.ts";
import type { OperatorTables } from "./operators.ts";
import type { ReleaseTables } from "./releases.ts";
import type { RolloutTables } from "./rollouts.ts";
import type { TargetingTables } from "./targeting.ts";

/** All tables of control.db; each module adds its own. */
export type ControlTables = AlertTables &
  FleetTables &
  FreezeTables &
  OperatorTables &
  ReleaseTables &
  RolloutTables &
  TargetingTables;

export type { TelemetryTables } from "./telemetry.ts";
