import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Database, Statement } from "better-sqlite3";

/** One update attempt as the device told it. Times in milliseconds since the epoch by the device's clock. */
export interface Attempt {
  /** Of the directive that began it. */
  generation: number;
  /** Digest of the release, null for "run nothing". */
  digest: string | null;
  /** Newest phase of the update journal. */
  phase: string;
  outcome: string | null;
  failure: Failure | null;
  startedAt: number;
  at: number;
}

interface AttemptRow {
  device: string;
  rollout: string | null;
  generation: number;
  release: string | null;
  phase: string;
  outcome: string | null;
  failure: string | null;
  started_at: number;
  at: number;
  revision: number;
}

/** Rollouts whose attempts stay in memory; who asks for another has them read again. */
const KEPT_ROLLOUTS = 256;
const NONE: readonly Attempt[] = [];

type ByDevice = Map<string, Attempt[]>;

/**
 * The update attempts of the rollouts that somebody asks about: read once a rollout, from then on only the rows
 * that changed. Updates of years ago stay in the database.
 */
export class AttemptBook {
  readonly #ofRollout: Statement<[string, number], AttemptRow>;
  readonly #changed: Statement<[number], AttemptRow>;
  /** In the order in which they were last asked for, the newest at the end. */
  readonly #rollouts = new Map<string, ByDevice>();
  #revision: number;

  constructor(db: Database) {
    this.#ofRollout = db.prepare(
      "SELECT * FROM device_updates WHERE rollout = ? AND revision <= ? ORDER BY device, generation",
    );
    this.#changed = db.prepare("SELECT * FROM device_updates WHERE revision > ? ORDER BY revision");
    this.#revision = db
      .prepare<[], number>("SELECT coalesce(max(revision), 0) FROM device_updates")
      .pluck()
      .get() as number;
  }

  /** By generation, oldest first. */
  of(rollout: string, device: string): readonly Attempt[] {
    const kept = this.#rollouts.get(rollout) ?? this.#read(rollout);
    this.#rollouts.delete(rollout);
    this.#rollouts.set(rollout, kept);
    return kept.get(device) ?? NONE;
  }

  /** Takes in what was committed since the last call; gives the devices that it concerns. */
  refresh(): Set<string> {
    const devices = new Set<string>();
    for (const row of this.#changed.iterate(this.#revision)) {
      const kept = row.rollout === null ? undefined : this.#rollouts.get(row.rollout);
      if (kept) put(kept, row);
      devices.add(row.device);
      this.#revision = row.revision;
    }
    return devices;
  }

  #read(rollout: string): ByDevice {
    const read: ByDevice = new Map();
    for (const row of this.#ofRollout.iterate(rollout, this.#revision)) put(read, row);
    const [oldest] = this.#rollouts.keys();
    if (oldest !== undefined && this.#rollouts.size >= KEPT_ROLLOUTS) this.#rollouts.delete(oldest);
    return read;
  }
}

function put(attempts: ByDevice, row: AttemptRow): void {
  const former = attempts.get(row.device) ?? [];
  const attempt = attemptOf(row);
  const others = former.filter(({ generation }) => generation !== row.generation);
  attempts.set(
    row.device,
    [...others, attempt].sort((a, b) => a.generation - b.generation),
  );
}

const attemptOf = (row: AttemptRow): Attempt => ({
  generation: row.generation,
  digest: row.release === null ? null : ((JSON.parse(row.release) as ReleaseRef | null)?.digest ?? null),
  phase: row.phase,
  outcome: row.outcome,
  failure: row.failure === null ? null : (JSON.parse(row.failure) as Failure),
  startedAt: row.started_at,
  at: row.at,
});
