import type { Datatype } from "../tensors/datatypes.ts";
import type { Verdict } from "../verdict.ts";

/** A tensor whose bytes stand in the body of the frame, one behind the other in the order of the list. */
export interface SentTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** What the live runner sends: inputs, and its outputs where only their values can be compared. */
export interface ShadowQuestion {
  readonly id: number;
  readonly model: string;
  readonly inputs: readonly SentTensor[];
  readonly outputs: readonly SentTensor[];
}

/** What the candidate makes of it. */
export interface ShadowAnswer {
  readonly id: number;
  /** One for each row; a single failed one where the candidate could not compute it at all. */
  readonly verdicts: readonly Verdict[];
  /** Whether the outputs that were sent were reproduced; undefined where none were. */
  readonly reproduced?: boolean;
  /** Inference time, microseconds. */
  readonly latencyUs: number;
  /** Processor time of the whole process since its last answer, microseconds. */
  readonly cpuUs: number;
}
