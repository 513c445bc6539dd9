import { isMusterError } from "@muster/shared/errors";
import { Random } from "../bench/false-alarms/random.ts";
import { below, bytesOf, chance, pick } from "./draw.ts";
import { MOST_INPUT_BYTES, mutateBytes } from "./mutate-bytes.ts";
import { mutateJson } from "./mutate-json.ts";
import type { Target } from "./target.ts";

/** Inputs that are kept of those that were taken, and of those that were refused in a new way. */
const MOST_KEPT = 200;
/** Share of inputs that are made from what was refused. */
const FROM_REFUSED = 0.25;
/** An input that takes more of the processor, milliseconds, is a fault: a device could keep the control plane busy with it. */
const SLOW_MS = 2000;
/** Share of inputs that are no change of another one. */
const ARBITRARY = 0.03;

export interface Fault {
  readonly target: string;
  readonly what: string;
  /** The input, base64. */
  readonly input: string;
}

export interface Count {
  readonly target: string;
  inputs: number;
  accepted: number;
  refused: number;
  slowestMs: number;
}

/** Tries one target: with seed and number of inputs the same, always the same inputs. */
export class Trial {
  readonly target: Target;
  readonly count: Count;
  readonly faults = new Map<string, Fault>();
  readonly #random: Random;
  readonly #taken: Buffer[];
  readonly #refused: Buffer[] = [];
  readonly #outcomes = new Set<string>();
  #next = 0;

  constructor(target: Target, seed: number) {
    this.target = target;
    this.count = { target: target.name, inputs: 0, accepted: 0, refused: 0, slowestMs: 0 };
    this.#random = new Random(
      seed ^ [...target.name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7),
    );
    this.#taken = [...target.seeds];
  }

  /** The seeds as they are, then inputs made from them. */
  make(): Buffer {
    const seed = this.target.seeds[this.#next++];
    if (seed) return seed;
    const random = this.#random;
    if (chance(random, ARBITRARY)) return bytesOf(random, below(random, 400));
    const pool = chance(random, FROM_REFUSED) && this.#refused.length > 0 ? this.#refused : this.#taken;
    const from = pick(random, pool);
    if (this.target.form === "json" && chance(random, 0.85)) {
      const changed = Buffer.from(mutateJson(random, from.toString()));
      if (changed.length <= MOST_INPUT_BYTES) return changed;
    }
    return mutateBytes(random, from, pool);
  }

  async take(input: Buffer): Promise<void> {
    const started = performance.now();
    const before = process.cpuUsage();
    let outcome = "taken";
    try {
      await this.target.take(input);
      this.count.accepted += 1;
    } catch (error) {
      outcome = this.#judge(error, input);
    }
    const took = performance.now() - started;
    this.count.inputs += 1;
    this.count.slowestMs = Math.max(this.count.slowestMs, took);
    const { user, system } = process.cpuUsage(before);
    const worked = Math.round((user + system) / 1000);
    if (worked > SLOW_MS) this.blame("slow", `it keeps the processor busy for ${worked} ms`, input);
    if (outcome === "taken") this.#keep(this.#taken, this.target.seeds.length, input);
    else if (!this.#outcomes.has(outcome)) this.#keep(this.#refused, 0, input);
    this.#outcomes.add(outcome);
  }

  /** In the place of another one where the pool is full. */
  #keep(pool: Buffer[], seeds: number, input: Buffer): void {
    if (pool.length < seeds + MOST_KEPT) pool.push(Buffer.from(input));
    else if (chance(this.#random, 0.1)) pool[seeds + below(this.#random, MOST_KEPT)] = Buffer.from(input);
  }

  /** A sentence that was not heard before shows a path that was not walked before. */
  #judge(error: unknown, input: Buffer): string {
    if (isMusterError(error) && error.code !== "internal.unexpected") {
      this.count.refused += 1;
      return `${error.code} ${error.message.slice(0, 200).replace(/[0-9a-f]{2,}|\d+/g, "#")}`;
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const what = stack.split("\n").slice(0, 6).join("\n");
    const id = stack.split("\n").slice(1, 3).join("\n");
    this.blame(id, what, input);
    return `fault ${id}`;
  }

  /** @param id of the fault: of each kind the first one is kept */
  blame(id: string, what: string, input: Buffer): void {
    if (!this.faults.has(id))
      this.faults.set(id, { target: this.target.name, what, input: input.toString("base64") });
  }
}
