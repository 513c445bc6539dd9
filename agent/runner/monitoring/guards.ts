import { MusterError } from "@muster/shared/errors";
import type { Guards } from "@muster/shared/protocol/serving/monitoring";
import type { Call, Layer } from "../infer.ts";
import type { NumericData, TensorValue } from "../tensors/datatypes.ts";
import type { QualityCounters } from "./input-quality.ts";
import { readerOf } from "./numbers.ts";

type Bound = Guards["inputs"][string];

interface Violation {
  readonly tensor: string;
  readonly kind: "nan" | "infinite" | "outOfRange";
  readonly index: number;
  readonly value: number;
}

/** Who counts for a model; undefined for one that is not monitored. */
export type QualityOf = (call: Call) => QualityCounters | undefined;

/**
 * Looks at every input before it meets the model. With `reject` a request that violates a guard is refused and
 * counted; with `count` it is counted and computed.
 */
export const guarded =
  (qualityOf: QualityOf): Layer =>
  (next) =>
  (call) => {
    const guards = call.model.deployment.serving?.guards;
    if (!guards) return next(call);
    const violations = call.request.inputs.flatMap(
      (tensor) => violationOf(guards.inputs[tensor.name], tensor) ?? [],
    );
    const [first] = violations;
    if (!first) return next(call);
    const counters = qualityOf(call);
    // Those that are computed are counted as non-finite where their features are read.
    for (const { tensor, kind } of violations)
      if (counters && (kind === "outOfRange" || guards.onViolation === "reject"))
        counters.of(tensor)[kind] += 1;
    if (guards.onViolation === "count") return next(call);
    counters?.reject();
    return Promise.reject(refusal(first, guards.inputs[first.tensor]!));
  };

/** The first element that violates the bound. */
function violationOf(bound: Bound | undefined, tensor: TensorValue): Violation | undefined {
  const read = bound && readerOf(tensor.datatype);
  if (!bound || !read) return undefined;
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, allowNonFinite = false } = bound;
  const index =
    tensor.datatype === "FP32"
      ? firstBeyond(tensor.data as Float32Array, min, max, allowNonFinite)
      : firstBeyondOf(tensor.data as NumericData, read, min, max, allowNonFinite);
  if (index === -1) return undefined;
  const value = read(tensor.data as NumericData, index);
  const kind = Number.isNaN(value) ? "nan" : Number.isFinite(value) ? "outOfRange" : "infinite";
  return { tensor: tensor.name, kind, index, value };
}

function firstBeyond(data: Float32Array, min: number, max: number, allowNonFinite: boolean): number {
  for (let index = 0; index < data.length; index += 1) {
    const value = data[index]!;
    // One comparison is false for a NaN too.
    if (value >= min && value <= max && value - value === 0) continue;
    if (allowNonFinite && !Number.isFinite(value)) continue;
    return index;
  }
  return -1;
}

function firstBeyondOf(
  data: NumericData,
  read: (data: NumericData, index: number) => number,
  min: number,
  max: number,
  allowNonFinite: boolean,
): number {
  for (let index = 0; index < data.length; index += 1) {
    const value = read(data, index);
    if (value >= min && value <= max && Number.isFinite(value)) continue;
    if (allowNonFinite && !Number.isFinite(value)) continue;
    return index;
  }
  return -1;
}

function refusal({ tensor, kind, index, value }: Violation, { min, max }: Bound): MusterError {
  const allowed =
    kind === "outOfRange"
      ? `the release allows ${min ?? "any"} to ${max ?? "any"}`
      : "the release allows finite numbers only";
  return new MusterError("inference.invalid", `Element ${index} of '${tensor}' is ${value}; ${allowed}.`);
}
