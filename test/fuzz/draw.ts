import type { Random } from "../bench/false-alarms/random.ts";

/** Whole number from 0 until `below`. */
export const below = (random: Random, bound: number): number => Math.floor(random.uniform() * bound);

export function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[below(random, values.length)];
  if (value === undefined && values.length === 0) throw new RangeError("nothing to pick from");
  return value as T;
}

export const chance = (random: Random, share: number): boolean => random.uniform() < share;

export function bytesOf(random: Random, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) bytes[i] = below(random, 256);
  return bytes;
}
