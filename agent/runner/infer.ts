import type { MusterError } from "@muster/shared/errors";
import type { DegradeReason, Rung } from "@muster/shared/protocol/serving/cascade";
import type { Tier } from "@muster/shared/protocol/serving/tiers";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { InferRequest } from "./infer-request.ts";
import type { LoadedModel } from "./model.ts";
import type { TensorValue } from "./tensors/datatypes.ts";
import type { Verdict } from "./verdict.ts";

/** Whether anybody waits for an answer still: what an `AbortSignal` tells, at less cost. */
export interface Gone {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** One request to one model, parsed and pre-processed, whichever way it came in. Times are monotonic milliseconds. */
export interface Call {
  readonly model: LoadedModel;
  readonly request: InferRequest;
  readonly tier: Tier;
  readonly receivedAt: number;
  /** When the answer is worth nothing any more; infinite for none. */
  readonly deadlineAt: number;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: Gone;
}

/** What lower rung answered, and why not the one above. */
export interface Degraded {
  readonly rung: Rung["use"];
  readonly reason: DegradeReason;
}

export interface Inferred {
  /** Outputs in the order asked for; empty when the model failed. */
  readonly values: readonly TensorValue[];
  /** One for each row. */
  readonly verdicts: readonly Verdict[];
  /** Time in the model, that of the whole batch, microseconds. */
  readonly latencyUs: number;
  /** Time in the queue, microseconds. */
  readonly queueUs: number;
  /** Processor time of this request's share of the batch, microseconds. */
  readonly cpuUs: number;
  /** Rows of the batch that it was computed in. */
  readonly batchRows: number;
  /** What computed it. */
  readonly by: ModelDeployment;
  readonly degraded?: Degraded;
  /** Why the model failed. */
  readonly error?: MusterError;
}

/**
 * Answers a call. A request that never met the model is refused by throwing; a model that failed answers with `error`,
 * so that the failure is on record.
 * @throws MusterError `inference.overloaded`, `inference.expired`, `inference.deferred`, `inference.cancelled`,
 *   `inference.invalid`
 */
export type Infer = (call: Call) => Promise<Inferred>;

/** One concern around the answering of calls: guards, the cascade, records. */
export type Layer = (next: Infer) => Infer;

/** What was asked and answered, told once for each call after the answer is known. */
export interface Observation {
  readonly call: Call;
  readonly inferred: Inferred;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Looks on. It must be quick and must not throw; what takes time is done later. */
export interface Observer {
  observe(observation: Observation): void;
}
