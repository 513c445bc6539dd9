import type { LoadedModel } from "../model.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { batchSizes, bestBatch, type CurvePoint } from "./batch-curve.ts";
import { timedRun } from "./batch-run.ts";
import { CpuMeter } from "./cpu-meter.ts";
import { proveRows, repeatRows, type Tolerance } from "./prove-rows.ts";
import { RowBuffers, type RowLayout, rowLayoutOf } from "./row-layout.ts";

/** Most rows of a batch where the release says nothing. */
const DEFAULT_MAX_BATCH = 32;
/** Time for the warm-up of one model, milliseconds; the run that reaches it is the last. */
const BUDGET_MS = 400;
/** Time and runs for one batch size: the best of at least three, of more where they are short. */
const SIZE_MS = 20;
const MIN_RUNS = 3;
const MAX_RUNS = 25;
/** No batch may block the thread for longer than this, milliseconds, unless a single row does. */
const LONGEST_BATCH_MS = 100;

/** Inputs as the model will see them, from its golden set. */
export interface Samples {
  readonly inputs: readonly (readonly TensorValue[])[];
  readonly tolerance: Tolerance;
}

export interface WarmedUp {
  readonly curve: readonly CurvePoint[];
  /** Most rows that run together. */
  readonly maxBatch: number;
  /** Undefined where requests run alone. */
  readonly layout: RowLayout | undefined;
  /** Why requests run alone though the model could take batches; undefined where it is simply not worth it. */
  readonly unbatched: string | undefined;
}

/**
 * Runs a model until it is warm and measures its batch curve: 1, 2, 4, ... rows as long as it pays and the time lasts.
 * @throws MusterError `inference.failed` when the model fails with its own golden inputs
 */
export async function warmUp(model: LoadedModel, { inputs, tolerance }: Samples): Promise<WarmedUp> {
  const end = performance.now() + BUDGET_MS;
  const asked = model.deployment.serving?.batching?.maxBatch ?? DEFAULT_MAX_BATCH;
  const names = model.outputs.map(({ name }) => name);
  const layout = asked > 1 ? rowLayoutOf(model) : undefined;
  const unbatched = layout && (await proveRows(model, layout, inputs, tolerance));
  if (!layout || unbatched !== undefined) {
    const ms = inputs[0] && (await measure(model, inputs[0], names, end));
    return { curve: ms === undefined ? [] : [{ rows: 1, ms }], maxBatch: 1, layout: undefined, unbatched };
  }
  const largest = Math.min(asked, layout.maxRows);
  const buffers = new RowBuffers(layout, largest);
  const curve: CurvePoint[] = [];
  for (const rows of batchSizes(largest)) {
    const batch = buffers.gather(repeatRows(inputs, rows), rows);
    const ms = await measure(model, batch, names, end).catch((error: unknown) => {
      if (rows === 1) throw error;
    });
    // A size that this box has no memory for is not used.
    if (ms === undefined || (rows > 1 && ms > LONGEST_BATCH_MS)) break;
    curve.push({ rows, ms });
    if (performance.now() >= end || ms * 2 > LONGEST_BATCH_MS) break;
  }
  return { curve, maxBatch: bestBatch(curve), layout, unbatched: undefined };
}

/**
 * Shortest time of a run, milliseconds: what other processes took meanwhile is not the model's. The first run, which
 * makes room for this size, does not count.
 */
async function measure(
  model: LoadedModel,
  inputs: readonly TensorValue[],
  names: readonly string[],
  end: number,
): Promise<number> {
  const begun = performance.now();
  const times: number[] = [];
  const meter = new CpuMeter(model);
  for (let runs = 0; runs <= MAX_RUNS; runs++) {
    const { ms, error } = await timedRun(model, inputs, names, meter);
    if (error) throw error;
    times.push(ms);
    const now = performance.now();
    if (now >= end || (runs >= MIN_RUNS && now - begun >= SIZE_MS)) break;
  }
  return Math.min(...(times.length > 1 ? times.slice(1) : times));
}
