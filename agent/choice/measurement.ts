import type { ErrorCode } from "@muster/shared/errors";
import type { Measured } from "@muster/shared/protocol/choice";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { HandedKey } from "../runner/key-ring.ts";

/** What a measuring child is doing; where it was when it died is part of the answer. */
export type Step = "start" | "load" | "golden" | "latency" | "placement";

/** What came out of measuring one variant on one provider. A crash is an outcome like any other. */
export type Measurement =
  | { readonly measured: Measured }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string }; readonly step: Step };

export interface MeasureRequest {
  readonly deployment: ModelDeployment;
  /** Time for the timed runs, milliseconds. */
  readonly benchMs: number;
  /** Key of a sealed model. */
  readonly keys: readonly HandedKey[];
}

export type FromMeasurer = { kind: "up" } | { kind: "step"; step: Step } | ({ kind: "done" } & Measurement);
