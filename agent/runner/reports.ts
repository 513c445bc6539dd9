import type { DriftWindow } from "@muster/shared/protocol/drift-window";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { Monitor } from "@muster/shared/protocol/serving/monitoring";
import type { ShadowTally } from "../shadow/tally.ts";

/** A closed window of what a model saw, with what it is judged by. */
export interface DriftReport {
  readonly kind: "drift";
  readonly window: DriftWindow;
  /** Counts of the reference set by feature. */
  readonly reference: Readonly<Record<string, readonly number[]>>;
  readonly rule: Monitor;
}

/** What the runner tells the agent core beside results; it is not answered. */
export type RunnerReport =
  | DriftReport
  /** What was compared with a candidate since the last one. */
  | { readonly kind: "shadow"; readonly shadow: string; readonly models: ShadowTally[] }
  /** Something worth an event. */
  | { readonly kind: "notice"; readonly notice: Failure };
