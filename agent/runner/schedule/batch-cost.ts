import { type CurvePoint, timeOn } from "./batch-curve.ts";

/** Latest batches whose median says how much slower or faster the model is than its curve. */
const REMEMBERED = 5;
/** Refusals on a prediction alone before one request is let through to see whether it holds; it doubles while it does. */
const FIRST_TRY_AFTER = 8;
const LAST_TRY_AFTER = 1024;
/** Share of the predicted time that a batch must take for the prediction to have held. */
const HELD = 0.8;

/**
 * What a batch of a model will take: its measured curve, scaled by the median of the latest batches, so that a hot
 * box is known to be slow and one hiccup changes nothing.
 *
 * A prediction that is too high would refuse everything and never be corrected: now and then a request is tried
 * against it.
 */
export class BatchCost {
  #curve: readonly CurvePoint[];
  #ratios: number[] = [];
  #scale = 1;
  #refusals = 0;
  #trying = false;
  #tryAfter = FIRST_TRY_AFTER;

  constructor(curve: readonly CurvePoint[] = []) {
    this.#curve = curve;
  }

  /** Milliseconds; 0 while nothing was measured. */
  predict(rows: number): number {
    return timeOn(this.#curve, rows) * this.#scale;
  }

  /** A batch has taken `ms`. */
  observe(rows: number, ms: number): void {
    if (this.#curve.length === 0) {
      this.#curve = [{ rows, ms }];
      return;
    }
    if (this.#trying) {
      const held = ms >= this.predict(rows) * HELD;
      this.#tryAfter = held ? Math.min(this.#tryAfter * 2, LAST_TRY_AFTER) : FIRST_TRY_AFTER;
      this.#trying = false;
    }
    this.#ratios = [...this.#ratios, ms / Math.max(timeOn(this.#curve, rows), Number.EPSILON)].slice(
      -REMEMBERED,
    );
    const sorted = this.#ratios.toSorted((a, b) => a - b);
    this.#scale = sorted[Math.floor((sorted.length - 1) / 2)]!;
  }

  /** A request is about to be refused because of a prediction alone: true when it is to be tried all the same. */
  worthATry(): boolean {
    this.#refusals += 1;
    if (this.#refusals <= this.#tryAfter) return false;
    this.#refusals = 0;
    this.#trying = true;
    return true;
  }
}
