import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { blockOf } from "./blocks.ts";
import { addCounters, SUMS_LENGTH, type Sums } from "./sums.ts";

/** Where the parts of a device's record begin. */
const SINCE = 0;
const ROUNDS = 1;
const BLOCK_LENGTH = 1 + SUMS_LENGTH;
const ROUND_LENGTH = 1 + 2 * BLOCK_LENGTH;
const NONE = -1;

const lengthOf = (rounds: number): number => ROUNDS + SUMS_LENGTH + rounds * ROUND_LENGTH;

const hasServed = ({ servingMs, inferences, crashes }: InferenceCounters): boolean =>
  servingMs > 0 || inferences > 0 || crashes > 0;

/** Block grid of a wave. */
export interface Grid {
  openedAt: number;
  roundsMs: readonly number[];
}

/**
 * What one device measured in one arm of an open wave: sums of all of it, and of the newest two blocks of each
 * round. All of it lies in one array of numbers, which is copied before it is changed and stored as it is.
 */
export class DeviceExposure {
  readonly #grid: Grid;
  readonly #numbers: Float64Array;

  private constructor(grid: Grid, numbers: Float64Array) {
    this.#grid = grid;
    this.#numbers = numbers;
  }

  static empty(grid: Grid): DeviceExposure {
    const exposure = new DeviceExposure(grid, new Float64Array(lengthOf(grid.roundsMs.length)));
    for (const round of grid.roundsMs.keys()) {
      exposure.#set(exposure.#roundAt(round), NONE);
      for (const slot of [0, 1]) exposure.#set(exposure.#slotAt(round, slot), NONE);
    }
    return exposure;
  }

  /** Undefined for bytes that another grid wrote. */
  static fromBytes(grid: Grid, bytes: Uint8Array): DeviceExposure | undefined {
    if (bytes.byteLength !== lengthOf(grid.roundsMs.length) * Float64Array.BYTES_PER_ELEMENT)
      return undefined;
    return new DeviceExposure(grid, new Float64Array(Uint8Array.from(bytes).buffer));
  }

  /** Bytes to store, in the byte order of this machine. */
  toBytes(): Buffer {
    return Buffer.from(this.#numbers.buffer);
  }

  /** When it was first heard of in this arm, milliseconds since the epoch; 0 for never. */
  get since(): number {
    return this.#numbers[SINCE] ?? 0;
  }

  get totals(): Sums {
    return this.#numbers.subarray(ROUNDS, ROUNDS + SUMS_LENGTH);
  }

  /** First block with a heartbeat in it that began after the device was first heard of in this arm; -1 for none. */
  firstBlock(round: number): number {
    return this.#numbers[this.#roundAt(round)] ?? NONE;
  }

  /** Undefined where it was not heard of in that block, or the block is over for long. */
  block(round: number, index: number): Sums | undefined {
    for (const slot of [0, 1]) {
      const at = this.#slotAt(round, slot);
      if (this.#numbers[at] === index) return this.#numbers.subarray(at + 1, at + BLOCK_LENGTH);
    }
    return undefined;
  }

  hasBlock(round: number, index: number): boolean {
    return this.#numbers[this.#slotAt(round, 0)] === index || this.#numbers[this.#slotAt(round, 1)] === index;
  }

  /** A copy with one more heartbeat in it. */
  with(counters: readonly InferenceCounters[], receivedAt: number): DeviceExposure {
    const next = new DeviceExposure(this.#grid, this.#numbers.slice());
    // A candidate in the shadow serves nobody: its first block begins once it does.
    const serves = next.since > 0 || counters.some(hasServed);
    if (serves && next.since === 0) next.#set(SINCE, receivedAt);
    const blocks = serves ? this.#grid.roundsMs.map((_, round) => next.#openBlock(round, receivedAt)) : [];
    for (const entry of counters) {
      addCounters(next.totals, entry);
      for (const block of blocks) addCounters(block, entry);
    }
    return next;
  }

  #openBlock(round: number, at: number): Sums {
    const { openedAt, roundsMs } = this.#grid;
    const lengthMs = roundsMs[round] ?? 1;
    const index = blockOf(at, openedAt, lengthMs);
    const existing = this.block(round, index);
    if (existing) return existing;
    const [newest, former] = [this.#slotAt(round, 0), this.#slotAt(round, 1)];
    this.#numbers.copyWithin(former, newest, newest + BLOCK_LENGTH);
    this.#numbers.fill(0, newest, newest + BLOCK_LENGTH);
    this.#set(newest, index);
    if (this.firstBlock(round) === NONE && index > blockOf(this.since, openedAt, lengthMs))
      this.#set(this.#roundAt(round), index);
    return this.#numbers.subarray(newest + 1, newest + BLOCK_LENGTH);
  }

  #roundAt(round: number): number {
    return ROUNDS + SUMS_LENGTH + round * ROUND_LENGTH;
  }

  #slotAt(round: number, slot: number): number {
    return this.#roundAt(round) + 1 + slot * BLOCK_LENGTH;
  }

  #set(at: number, value: number): void {
    this.#numbers[at] = value;
  }
}
