import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Call, Inferred } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { verdictsOf } from "../verdict.ts";
import type { CpuMeter } from "./cpu-meter.ts";
import { type RowBuffers, rowsFrom } from "./row-layout.ts";

/** Processor time and time that a run of the model took. */
export interface Spent {
  readonly ms: number;
  readonly cpuUs: number;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
}

interface Run extends Spent {
  readonly values: readonly TensorValue[];
  readonly error?: MusterError;
}

/**
 * Runs a model and never throws. The runtime computes in a later turn of the event loop: the clocks start in that
 * turn, so that what the loop does in between is not counted.
 */
export async function timedRun(
  model: LoadedModel,
  inputs: readonly TensorValue[],
  names: readonly string[],
  meter: CpuMeter,
): Promise<Run> {
  let startedAt = performance.now();
  setImmediate(() => {
    startedAt = performance.now();
    meter.begin(startedAt);
  });
  const spent = (): Spent => {
    const now = performance.now();
    const ms = now - startedAt;
    return { ms, cpuUs: meter.end(ms, now), startedAt };
  };
  try {
    const values = await model.run(inputs, names);
    return { ...spent(), values };
  } catch (cause) {
    return { ...spent(), values: [], error: asMusterError(cause, "inference.failed") };
  }
}

/** One call with the rows that it adds. */
export interface Part {
  readonly call: Call;
  readonly rows: number;
}

export interface BatchResult {
  /** In the order of the parts. */
  readonly inferred: readonly Inferred[];
  readonly spent: Spent;
  /** The model could not compute the parts together. */
  readonly split: boolean;
}

/**
 * Computes calls of one model together. When that fails each is computed alone, so that one bad input does not fail
 * the others.
 * @param buffers needed for more than one part
 */
export async function runBatch(
  parts: readonly Part[],
  buffers: RowBuffers | undefined,
  meter: CpuMeter,
): Promise<BatchResult> {
  const [first] = parts;
  const { model } = first!.call;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const names = namesOf(parts);
  const inputs =
    parts.length === 1
      ? first!.call.request.inputs
      : buffers!.gather(
          parts.map(({ call }) => call.request.inputs),
          rows,
        );
  const run = await timedRun(model, inputs, names, meter);
  const broken = run.error ?? (parts.length > 1 ? misshapen(run.values, rows) : undefined);
  if (broken && parts.length > 1) {
    const alone: Inferred[] = [];
    for (const part of parts) alone.push(...(await runBatch([part], undefined, meter)).inferred);
    return { inferred: alone, spent: run, split: true };
  }
  let from = 0;
  const inferred = parts.map((part) => {
    const values =
      parts.length === 1 ? run.values : run.values.map((value) => rowsFrom(value, from, part.rows));
    from += part.rows;
    return run.error ? failedOf(part, run, run.error, rows) : answeredOf(part, run, values, rows);
  });
  return { inferred, spent: run, split: false };
}

/** Outputs that the calls ask for, and the first one in any case because the verdict comes from it. */
function namesOf(parts: readonly Part[]): string[] {
  const names = new Set<string>();
  for (const { call } of parts) for (const { name } of call.request.outputs) names.add(name);
  names.add(parts[0]!.call.model.outputs[0]!.name);
  return [...names];
}

function misshapen(values: readonly TensorValue[], rows: number): MusterError | undefined {
  const wrong = values.find(({ shape }) => shape[0] !== rows);
  return (
    wrong &&
    new MusterError("inference.failed", `Output '${wrong.name}' has ${wrong.shape[0]} rows, not ${rows}.`)
  );
}

const latencyUsOf = ({ ms }: Spent): number => Math.round(ms * 1000);
const queueUsOf = ({ receivedAt }: Call, { startedAt }: Spent): number =>
  Math.max(0, Math.round((startedAt - receivedAt) * 1000));
const cpuUsOf = (rows: number, { cpuUs }: Spent, batchRows: number): number =>
  Math.round(batchRows === 0 ? cpuUs : (cpuUs * rows) / batchRows);
const named = (values: readonly TensorValue[], wanted: string): TensorValue =>
  values.find(({ name }) => name === wanted)!;

function answeredOf(
  { call, rows }: Part,
  spent: Spent,
  values: readonly TensorValue[],
  batchRows: number,
): Inferred {
  const { deployment, outputs } = call.model;
  return {
    values: call.request.outputs.map(({ name }) => named(values, name)),
    verdicts: verdictsOf(named(values, outputs[0]!.name), deployment.labels),
    latencyUs: latencyUsOf(spent),
    queueUs: queueUsOf(call, spent),
    cpuUs: cpuUsOf(rows, spent, batchRows),
    batchRows,
    by: deployment,
  };
}

function failedOf({ call, rows }: Part, spent: Spent, error: MusterError, batchRows: number): Inferred {
  const failure = { code: error.code, message: error.message.slice(0, 1000) };
  return {
    values: [],
    verdicts: [{ ok: false, top: null, failure }],
    latencyUs: latencyUsOf(spent),
    queueUs: queueUsOf(call, spent),
    cpuUs: cpuUsOf(rows, spent, batchRows),
    batchRows,
    by: call.model.deployment,
    error,
  };
}
