import type { ModelDeployment } from "../inference/deployment.ts";
import type { Observation, Observer } from "./infer.ts";
import type { LoadedModel } from "./model.ts";

/** How often something happened and how long it took in all, milliseconds. */
interface Spent {
  count: number;
  ms: number;
}

/** Sums since the runner began; those of two runners of a model add up. */
interface Sums {
  /** Milliseconds since the epoch; 0 for never. */
  lastAt: number;
  rows: number;
  readonly success: Spent;
  readonly fail: Spent;
  readonly queue: Spent;
  readonly input: Spent;
  readonly infer: Spent;
  readonly output: Spent;
  readonly cacheHit: Spent;
  /** Shares of batches by their size: the requests of one batch add up to 1 and to its time. */
  readonly batches: Map<number, Spent>;
}

const spent = (): Spent => ({ count: 0, ms: 0 });
const add = (to: Spent, ms: number, count = 1): void => {
  to.count += count;
  to.ms += ms;
};

/** Counts are those of requests; shares of batches may end a hair beside a whole number. */
const stated = ({ count, ms }: Spent) => ({ count: Math.round(count), ns: Math.round(ms * 1e6) });

/** What was asked of each model and where the time went, for the statistics extension of the protocol. */
export class Statistics implements Observer {
  readonly #models = new Map<ModelDeployment, Sums>();

  observe({ call, inferred, at }: Observation): void {
    const sums = this.#of(call.model.deployment);
    const { batchRows, degraded, error, latencyUs, queueUs } = inferred;
    const ms = latencyUs / 1000;
    add(sums.queue, queueUs / 1000);
    add(error ? sums.fail : sums.success, performance.now() - call.receivedAt);
    sums.lastAt = at;
    if (degraded?.rung === "cache") add(sums.cacheHit, ms);
    if (error || degraded?.rung === "cache" || degraded?.rung === "default") return;
    const rows = rowsOf(call.model, call.request.inputs[0]?.shape);
    const batch = Math.max(rows, batchRows, 1);
    const share = Math.max(rows, 1) / batch;
    sums.rows += rows;
    add(sums.infer, ms);
    add(entryOf(sums.batches, batch), ms * share, share);
  }

  /** A request ended without having met the model. @param ms since it came */
  refused({ deployment }: LoadedModel, ms: number): void {
    add(this.#of(deployment).fail, ms);
  }

  /** A request was read. @param ms that it took */
  read({ deployment }: LoadedModel, ms: number): void {
    add(this.#of(deployment).input, ms);
  }

  /** An answer was written. @param ms that it took */
  written({ deployment }: LoadedModel, ms: number): void {
    add(this.#of(deployment).output, ms);
  }

  /** The entry of one model in `model_stats`. */
  of(deployment: ModelDeployment) {
    const { name, version } = deployment;
    const sums = this.#of(deployment);
    const batches = [...sums.batches].sort(([a], [b]) => a - b);
    const executions = batches.reduce((sum, [, { count }]) => sum + count, 0);
    return {
      name,
      version,
      last_inference: sums.lastAt,
      inference_count: sums.rows,
      execution_count: Math.round(executions),
      inference_stats: {
        success: stated(sums.success),
        fail: stated(sums.fail),
        queue: stated(sums.queue),
        compute_input: stated(sums.input),
        compute_infer: stated(sums.infer),
        compute_output: stated(sums.output),
        cache_hit: stated(sums.cacheHit),
        cache_miss: stated(spent()),
      },
      batch_stats: batches.map(([size, entry]) => ({
        batch_size: size,
        compute_input: stated(spent()),
        compute_infer: stated(entry),
        compute_output: stated(spent()),
      })),
    };
  }

  #of(deployment: ModelDeployment): Sums {
    const known = this.#models.get(deployment);
    if (known) return known;
    const sums = emptySums();
    this.#models.set(deployment, sums);
    return sums;
  }
}

/** Batch sizes that are told apart; any other one counts with the next power of two. */
const MOST_SIZES = 64;

function entryOf(batches: Sums["batches"], size: number): Spent {
  const isNew = !batches.has(size) && batches.size >= MOST_SIZES;
  const key = isNew ? 2 ** Math.ceil(Math.log2(size)) : size;
  const entry = batches.get(key) ?? spent();
  batches.set(key, entry);
  return entry;
}

const emptySums = (): Sums => ({
  lastAt: 0,
  rows: 0,
  success: spent(),
  fail: spent(),
  queue: spent(),
  input: spent(),
  infer: spent(),
  output: spent(),
  cacheHit: spent(),
  batches: new Map(),
});

/** Rows of a request: its first dimension where the model lets that vary. */
const rowsOf = ({ inputs }: LoadedModel, shape: readonly number[] | undefined): number =>
  typeof inputs[0]?.shape[0] === "string" ? (shape?.[0] ?? 1) : 1;
