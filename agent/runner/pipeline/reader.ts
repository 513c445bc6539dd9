import type { BeforeStep, StepOf } from "@muster/shared/protocol/serving/pipeline";
import type { Placement } from "./placement.ts";

/** What the steps make of a body before it is cast and given its last shape. */
export interface Read {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float32Array;
  /** Where the picture lies in the frame; absent for signals. */
  readonly placement?: Placement;
}

export interface Reader {
  /** Content types that it reads. */
  readonly accepts: readonly string[];
  /** Loads what it needs, so that the first request does not wait. */
  load(): Promise<unknown>;
  /** @throws MusterError of the `media.` family, `inference.overloaded` */
  read(body: Uint8Array): Promise<Read>;
}

/** The first step of one kind. */
export const stepOf = <Op extends BeforeStep["op"]>(
  steps: readonly BeforeStep[],
  op: Op,
): StepOf<BeforeStep, Op> | undefined => steps.find((step): step is StepOf<BeforeStep, Op> => step.op === op);
