import type { BackoffRule } from "../backoff.ts";

/** Limits of the update module with their defaults. */
export interface UpdateSettings {
  /** Space that a download leaves free on the disk, bytes. */
  diskReserveBytes: number;
  /** Full-jitter backoff between tries: the ceiling doubles from `backoffBaseMs` to `backoffMaxMs`. */
  backoffBaseMs: number;
  backoffMaxMs: number;
  /** How often a release on probation is judged, and how often its progress is stored, milliseconds. */
  probationSampleMs: number;
  probationStoreMs: number;
  /** Starts of the agent within one risky phase before the update is given up. */
  maxRestarts: number;
  /** A probation that ran this long without a restart forgives the earlier ones, milliseconds. */
  stableMs: number;
  /** Tries of one phase that end in damage rather than in waiting. */
  maxTries: number;
  /** Downloads of one artifact from zero before it counts as corrupted. */
  maxCorruptDownloads: number;
  /** An unknown directive key asks for a newer trust root at most this often, milliseconds. */
  rootRefreshMs: number;
  /** How often an idle engine looks whether the release still runs, milliseconds. */
  watchMs: number;
}

export const defaultUpdateSettings: UpdateSettings = {
  diskReserveBytes: 64 * 1024 ** 2,
  backoffBaseMs: 1000,
  backoffMaxMs: 300_000,
  probationSampleMs: 1000,
  probationStoreMs: 10_000,
  maxRestarts: 5,
  stableMs: 600_000,
  maxTries: 5,
  maxCorruptDownloads: 3,
  rootRefreshMs: 30_000,
  watchMs: 30_000,
};

export const backoffOf = ({ backoffBaseMs, backoffMaxMs }: UpdateSettings): BackoffRule => ({
  minMs: backoffBaseMs,
  maxMs: backoffMaxMs,
});
