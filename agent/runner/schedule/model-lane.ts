import type { Call } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import { BatchCost } from "./batch-cost.ts";
import type { Lane } from "./batch-plan.ts";
import { CpuMeter } from "./cpu-meter.ts";
import { RowBuffers, type RowLayout, rowsOf } from "./row-layout.ts";
import type { WarmedUp } from "./warm-up.ts";

/** One loaded model with what is known about its batches; before it is warm each call runs alone. */
export class ModelLane implements Lane {
  maxBatch = 1;
  readonly maxDelayMs: number;
  readonly predict = (rows: number) => this.cost.predict(rows);
  cost = new BatchCost();
  buffers: RowBuffers | undefined;
  readonly meter: CpuMeter;
  #layout: RowLayout | undefined;

  constructor(model: LoadedModel) {
    this.meter = new CpuMeter(model);
    this.maxDelayMs = model.deployment.serving?.batching?.maxDelayMs ?? 0;
  }

  warm({ curve, maxBatch, layout }: WarmedUp): void {
    this.cost = new BatchCost(curve);
    this.maxBatch = maxBatch;
    this.#layout = layout;
    this.buffers = layout && maxBatch > 1 ? new RowBuffers(layout, maxBatch) : undefined;
  }

  /** Rows that a call adds to a batch. One that cannot be put together with others fills a batch. */
  rowsOf({ request }: Call): number {
    if (!this.#layout) return 1;
    return rowsOf(request.inputs) ?? this.maxBatch;
  }
}
