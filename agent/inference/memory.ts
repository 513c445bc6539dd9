import { totalmem } from "node:os";

const MIB = 1024 * 1024;

/** Share of the box's memory that all runners together may take where no limit is set. */
const SHARE = 0.5;
/** Least limit that the share gives a runner, bytes. */
const LEAST_SHARE = 256 * MIB;
/** A runner needs so many times what it took right after loading: below, a fresh one would be no better. */
const HEADROOM = 1.25;
/** Time in which a runner reaches the size that its work needs, milliseconds. */
const WARM_MS = 600_000;
/** Growth beyond the warm size that is a leak. */
const GROWTH = 2;
const GROWTH_SLACK = 64 * MIB;

/**
 * Memory limit of one runner where none is set, bytes.
 * @param memory of the box, bytes @param runners that share it
 */
export const defaultMemoryLimit = (memory: number, runners: number): number =>
  Math.max(LEAST_SHARE, Math.floor((memory * SHARE) / Math.max(1, runners)));

/** Memory that this process and its children may use, bytes: that of the box, or of the container. */
export function usableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Decides from the resident memory of one runner whether a fresh one should take its place. */
export class MemoryWatch {
  readonly #limit: number;
  #first: { at: number; bytes: number } | undefined;
  #warm = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @param at monotonic milliseconds
   * @returns why the runner should be replaced, or undefined
   */
  judge(bytes: number, at: number): string | undefined {
    this.#first ??= { at, bytes };
    if (at - this.#first.at < WARM_MS) this.#warm = Math.max(this.#warm, bytes);
    const limit = Math.max(this.#limit, this.#first.bytes * HEADROOM);
    if (bytes > limit) return `it has ${mib(bytes)} MiB of memory; ${mib(limit)} are allowed`;
    if (bytes > this.#warm * GROWTH + GROWTH_SLACK)
      return `it has grown from ${mib(this.#warm)} MiB of memory when it was warm to ${mib(bytes)}`;
    return undefined;
  }
}

const mib = (bytes: number): number => Math.round(bytes / MIB);
