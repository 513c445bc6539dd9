import type { Random } from "../bench/false-alarms/random.ts";
import { below, bytesOf, chance, pick } from "./draw.ts";

/** Largest input that is made, bytes: above all that a parser takes at once from the network but logs. */
export const MOST_INPUT_BYTES = 512 * 1024;

/** Lengths and counts at which arithmetic goes wrong. */
const NUMBERS = [0, 1, 2, 7, 8, 16, 20, 23, 24, 31, 32, 33, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff];
const LARGE = [0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

type Change = (random: Random, bytes: Buffer, others: readonly Buffer[]) => Buffer;

const at = (random: Random, bytes: Buffer): number => below(random, bytes.length + 1);

function put(random: Random, bytes: Buffer, number: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length >= number.length) number.copy(copy, below(random, copy.length - number.length + 1));
  return copy;
}

function splice(bytes: Buffer, from: number, remove: number, insert: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
}

const CHANGES: readonly Change[] = [
  (random, bytes) => put(random, bytes, bytesOf(random, 1)),
  (random, bytes) => {
    const copy = Buffer.from(bytes);
    const place = below(random, copy.length || 1);
    if (copy.length > 0) copy[place] = (copy[place] ?? 0) ^ (1 << below(random, 8));
    return copy;
  },
  (random, bytes) => {
    const number = Buffer.alloc(2);
    if (chance(random, 0.5)) number.writeUInt16BE(pick(random, NUMBERS));
    else number.writeUInt16LE(pick(random, NUMBERS));
    return put(random, bytes, number);
  },
  (random, bytes) => {
    const number = Buffer.alloc(4);
    const value = pick(random, [...NUMBERS, ...LARGE]);
    if (chance(random, 0.5)) number.writeUInt32BE(value);
    else number.writeUInt32LE(value);
    return put(random, bytes, number);
  },
  (random, bytes) => bytes.subarray(0, at(random, bytes)),
  (random, bytes) => splice(bytes, at(random, bytes), 1 + below(random, 8), Buffer.alloc(0)),
  (random, bytes) => splice(bytes, at(random, bytes), 0, bytesOf(random, 1 + below(random, 8))),
  (random, bytes) => {
    const from = at(random, bytes);
    const length = below(random, Math.min(bytes.length - from, 4096) + 1);
    return splice(bytes, at(random, bytes), 0, bytes.subarray(from, from + length));
  },
  (random, bytes, others) => {
    const other = pick(random, others);
    return Buffer.concat([bytes.subarray(0, at(random, bytes)), other.subarray(at(random, other))]);
  },
  (random, bytes) => {
    const from = at(random, bytes);
    return splice(bytes, from, 0, Buffer.alloc(1 << below(random, 12), pick(random, [0, 0x20, 0x41, 0xff])));
  },
];

/** A few changes after each other. */
export function mutateBytes(random: Random, bytes: Buffer, others: readonly Buffer[]): Buffer {
  let changed = bytes;
  for (let left = 1 + below(random, 4); left > 0; left--)
    changed = pick(random, CHANGES)(random, changed, others);
  return changed.subarray(0, MOST_INPUT_BYTES);
}
