import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Conditions } from "../../power/conditions.ts";
import type { Call, Infer, Inferred } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import { type Candidate, NONE_PASSED_OVER, planBatch, predictAnswer } from "./batch-plan.ts";
import { type Part, runBatch } from "./batch-run.ts";
import { BestEffortGate } from "./best-effort.ts";
import { ModelLane } from "./model-lane.ts";
import { inferInPieces, pieceOf } from "./pieces.ts";
import { dueOf, TierQueue } from "./queue.ts";
import { type Samples, warmUp } from "./warm-up.ts";

/** Longest wait that is asked of a client that was refused for want of room, seconds. */
const MAX_RETRY_SECONDS = 60;

interface Entry extends Candidate, Part {
  readonly call: Call;
  readonly lane: ModelLane;
  readonly resolve: (inferred: Inferred) => void;
  readonly reject: (error: MusterError) => void;
}

/**
 * Decides when a call meets the runtime and with which others. Whatever waits when the runtime is free runs at once,
 * as many rows together as pay for the model; nothing waits for company unless the release asks for it.
 *
 * The runtime blocks the thread. Between batches the event loop turns, so that requests and pings are read.
 */
export class Scheduler {
  readonly #queue: TierQueue<Entry>;
  readonly #limit: number;
  readonly #lanes = new Map<LoadedModel, ModelLane>();
  readonly #gate = new BestEffortGate();
  #passedOver = NONE_PASSED_OVER;
  #running = false;
  /** When the batch at work ends, as predicted, monotonic milliseconds. */
  #busyUntil = 0;
  #kicked = false;
  #alarm: NodeJS.Timeout | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;

  /** @param limit calls of each tier that may wait */
  constructor(limit: number) {
    this.#limit = limit;
    this.#queue = new TierQueue(limit);
  }

  /**
   * Measures a model, so that its calls may be put together. Until then each runs alone.
   * @returns why its calls run alone where they look as if they could run together
   * @throws MusterError `inference.failed`
   */
  async warmUp(model: LoadedModel, samples: Samples): Promise<string | undefined> {
    const warmedUp = await warmUp(model, samples);
    this.#laneOf(model).warm(warmedUp);
    return warmedUp.unbatched;
  }

  /** What the box allows from now on. */
  obey({ bestEffort }: Conditions): void {
    this.#gate.set(bestEffort, performance.now());
  }

  /** When a call would be answered, milliseconds from now; exact only as far as batches take what they took. */
  predict(call: Call): number {
    const lane = this.#laneOf(call.model);
    return this.#predict(call, lane, lane.rowsOf(call), performance.now());
  }

  /** @throws MusterError `inference.overloaded`, `inference.deferred`, `inference.expired`, `inference.cancelled` */
  readonly infer: Infer = async (call) => {
    const now = performance.now();
    const lane = this.#laneOf(call.model);
    const rows = lane.rowsOf(call);
    if (call.tier === "best-effort") this.#admitBestEffort(rows, now);
    const tried = this.#checkDeadline(call, lane, rows, now);
    const piece = pieceOf(lane, rows);
    if (piece < rows) return inferInPieces(call, rows, piece, (part) => this.#enqueue(part, lane, tried));
    return this.#enqueue(call, lane, tried);
  };

  #enqueue(call: Call, lane: ModelLane, tried: boolean): Promise<Inferred> {
    const queuedAt = performance.now();
    const rows = lane.rowsOf(call);
    return new Promise<Inferred>((resolve, reject) => {
      const { tier, deadlineAt } = call;
      const dueAt = dueOf(deadlineAt, queuedAt);
      const entry: Entry = { call, lane, rows, tier, deadlineAt, dueAt, tried, queuedAt, resolve, reject };
      if (!this.#offer(entry)) {
        reject(this.#full(call, lane, rows, queuedAt));
        return;
      }
      if (this.#running) this.#wake(deadlineAt);
      else this.#kick();
    });
  }

  #laneOf(model: LoadedModel): ModelLane {
    let lane = this.#lanes.get(model);
    if (!lane) {
      lane = new ModelLane(model);
      this.#lanes.set(model, lane);
    }
    return lane;
  }

  #admitBestEffort(rows: number, now: number): void {
    const admitted = this.#gate.admit(rows, now, Date.now());
    if (admitted === "pass") return;
    throw new MusterError("inference.deferred", undefined, { retryAfterSeconds: admitted.afterSeconds });
  }

  /** @returns true for a call that is computed though the prediction is against it */
  #checkDeadline(call: Call, lane: ModelLane, rows: number, now: number): boolean {
    const left = call.deadlineAt - now;
    if (left === Number.POSITIVE_INFINITY) return false;
    const answerMs = this.#predict(call, lane, rows, now);
    if (answerMs <= left) return false;
    if (left > 0 && lane.cost.worthATry()) return true;
    throw new MusterError(
      "inference.overloaded",
      `This request would be answered in ${Math.ceil(answerMs)} ms; its timeout leaves ${Math.max(0, Math.floor(left))} ms.`,
      { retryAfterSeconds: retryAfter(answerMs) },
    );
  }

  #predict(call: Call, lane: ModelLane, rows: number, now: number): number {
    const busyMs = this.#running ? Math.max(0, this.#busyUntil - now) : 0;
    const { tier, deadlineAt } = call;
    const ahead = this.#queue.ahead({ tier, deadlineAt, dueAt: dueOf(deadlineAt, now) });
    return predictAnswer(ahead, busyMs, lane, rows);
  }

  #full({ tier }: Call, lane: ModelLane, rows: number, now: number): MusterError {
    const busyMs = this.#running ? Math.max(0, this.#busyUntil - now) : 0;
    const answerMs = predictAnswer(this.#queue, busyMs, lane, rows);
    return new MusterError("inference.overloaded", `${this.#limit} ${tier} requests wait already.`, {
      retryAfterSeconds: retryAfter(answerMs),
    });
  }

  #offer(entry: Entry): boolean {
    if (this.#queue.offer(entry)) return true;
    this.#dropCancelled();
    return this.#queue.offer(entry);
  }

  /** A batch is formed after the loop has read what has arrived. */
  #kick(): void {
    if (this.#kicked) return;
    this.#kicked = true;
    setImmediate(() => {
      this.#kicked = false;
      if (!this.#running) void this.#turn();
    });
  }

  async #turn(): Promise<void> {
    this.#dropCancelled();
    const now = performance.now();
    const { batch, rows, predictedMs, late, passedOver, wakeAt } = planBatch(
      this.#queue,
      this.#passedOver,
      now,
    );
    for (const entry of late) expire(entry);
    this.#passedOver = passedOver;
    if (batch.length === 0) {
      this.#wake(wakeAt);
      return;
    }
    this.#running = true;
    this.#busyUntil = now + predictedMs;
    for (const { deadlineAt } of this.#queue) this.#wake(deadlineAt);
    await compute(batch, rows);
    this.#running = false;
    if (this.#queue.size > 0) this.#kick();
    else this.#sleep();
  }

  #sleep(): void {
    clearTimeout(this.#alarm);
    this.#alarmAt = Number.POSITIVE_INFINITY;
  }

  /** Looks again at `at`, monotonic milliseconds: a runtime that does not block the thread lets calls expire meanwhile. */
  #wake(at: number): void {
    if (at >= this.#alarmAt) return;
    clearTimeout(this.#alarm);
    this.#alarmAt = at;
    this.#alarm = setTimeout(
      () => {
        this.#alarmAt = Number.POSITIVE_INFINITY;
        if (!this.#running) this.#kick();
        else this.#dropExpired();
      },
      Math.min(Math.max(0, Math.ceil(at - performance.now())), MAX_TIMER_MS),
    );
  }

  #dropExpired(): void {
    const now = performance.now();
    for (const entry of this.#queue.drop(({ deadlineAt }) => deadlineAt <= now)) expire(entry);
    for (const { deadlineAt } of this.#queue) this.#wake(deadlineAt);
  }

  #dropCancelled(): void {
    for (const { reject } of this.#queue.drop(({ call }) => call.signal.aborted))
      reject(new MusterError("inference.cancelled"));
  }
}

/** Answers every entry of a batch, whatever happens. */
async function compute(batch: readonly Entry[], rows: number): Promise<void> {
  const { lane } = batch[0]!;
  try {
    const { inferred, spent, split } = await runBatch(batch, lane.buffers, lane.meter);
    // A failure may come at once or late: it says nothing about what a batch takes.
    if (!split && !inferred.some(({ error }) => error)) lane.cost.observe(rows, spent.ms);
    for (const [index, { resolve }] of batch.entries()) resolve(inferred[index]!);
  } catch (cause) {
    for (const { reject } of batch) reject(asMusterError(cause));
  }
}

/** Longest time of a timer of Node, milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const retryAfter = (ms: number): number => Math.min(Math.max(1, Math.ceil(ms / 1000)), MAX_RETRY_SECONDS);

const expire = ({ call, reject }: Entry): void =>
  reject(
    new MusterError(
      "inference.expired",
      `The timeout of ${Math.round(call.deadlineAt - call.receivedAt)} ms cannot be kept any more.`,
    ),
  );
