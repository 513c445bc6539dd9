import { createHash } from "node:crypto";
import type { Call, Inferred } from "../infer.ts";
import type { TensorValue } from "../tensors/datatypes.ts";

/** Most bytes of outputs that one cache holds. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What an entry takes beside its data, about, bytes. */
const ENTRY_BYTES = 512;

/** What the request asks, as one text: equal for requests that have equal answers. */
export function keyOf({ request: { inputs, outputs } }: Call): string {
  const hash = createHash("sha256");
  for (const { name, shape, data } of inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(JSON.stringify([name, shape, Array.isArray(data) ? data : data.byteLength]));
    if (!Array.isArray(data)) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.update(JSON.stringify(outputs.map(({ name }) => name))).digest("base64");
}

interface Kept {
  readonly inferred: Inferred;
  readonly bytes: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** The latest answers of a model by the digest of what was asked; the one unused for longest makes room. */
export class AnswerCache {
  readonly #maxEntries: number;
  readonly #maxAgeMs: number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /** @param maxAgeMs age after which an answer is worth nothing, milliseconds */
  constructor(maxEntries: number, maxAgeMs: number) {
    this.#maxEntries = maxEntries;
    this.#maxAgeMs = maxAgeMs;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** @param now monotonic milliseconds */
  put(key: string, inferred: Inferred, now: number): void {
    const values = inferred.values.map(copyOf);
    const bytes = values.reduce((sum, { data }) => sum + bytesOf(data), ENTRY_BYTES);
    this.#forget(key);
    if (bytes > MAX_BYTES) return;
    this.#kept.set(key, { inferred: { ...inferred, values }, bytes, at: now });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#maxEntries && this.#bytes <= MAX_BYTES) break;
      this.#forget(oldest);
    }
  }

  /** @param now monotonic milliseconds */
  get(key: string, now: number): Inferred | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    if (now - kept.at > this.#maxAgeMs) {
      this.#forget(key);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.inferred;
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}

/** Outputs are views of a batch: a copy keeps this answer alone. */
const copyOf = (value: TensorValue): TensorValue => ({ ...value, data: value.data.slice() });

const bytesOf = (data: TensorValue["data"]): number =>
  Array.isArray(data) ? data.reduce((sum, text) => sum + 2 * text.length, 0) : data.byteLength;
