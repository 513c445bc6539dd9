import type { FleetTables } from "./fleet.ts";
import type { OperatorTables } from "./operators.ts";
import type { ReleaseTables } from "./releases.ts";
import type { RolloutTables } from "./rollouts.ts";

/** All tables of control.db; each module adds its own. */
export type ControlTables = FleetTables & OperatorTables & ReleaseTables & RolloutTables;

export type { TelemetryTables } from "./telemetry.ts";
