import type { Heartbeat } from "@muster/shared/protocol/messages";
import type { Database, Statement } from "better-sqlite3";
import type { FreshHeartbeat, HeartbeatObserver } from "../../ingest/heartbeat-observer.ts";
import type { Arm } from "./arms.ts";
import { DeviceExposure } from "./device-exposure.ts";
import { type Exposures, NO_EXPOSURES } from "./exposures.ts";
import { TrackedExposures, type TrackedRollout } from "./tracked.ts";

interface Row {
  rollout: string;
  device: string;
  wave: number;
  opened_at: number;
  arm: Arm;
  hardware_class: string;
  sums: Buffer;
}

/** An exposure that is written and does not count before the commit. */
interface Staged {
  slot: TrackedExposures;
  device: string;
  base: DeviceExposure | undefined;
  exposure: DeviceExposure;
}

/**
 * What devices measure in the open waves. Memory answers; telemetry.db has the same, written in the transaction
 * that stores the heartbeats, so that a restart goes on with exactly the sums there were. Only members of rollouts
 * with an open wave have a record.
 */
export class ExposureLedger implements HeartbeatObserver {
  readonly #slots = new Map<string, TrackedExposures>();
  /** Read at the start, by rollout, until the first `track` says which of it counts. */
  readonly #read = new Map<string, Row[]>();
  readonly #staged = new Map<string, Staged>();
  /** Rows to delete in the next transaction: the device's, or all of the rollout but those of this wave. */
  #obsolete: { rollout: string; device?: string; keep?: TrackedExposures }[] = [];
  #deleting = 0;
  #write: Statement | undefined;

  private constructor() {}

  /** Reads what the last control plane stored. Call `track` before the first heartbeat is taken in. */
  static load(db: Database): ExposureLedger {
    const ledger = new ExposureLedger();
    for (const row of db.prepare<[], Row>("SELECT * FROM exposures").iterate()) {
      const rows = ledger.#read.get(row.rollout) ?? [];
      rows.push(row);
      ledger.#read.set(row.rollout, rows);
    }
    return ledger;
  }

  /** Says which rollouts have an open wave, all of them, and who counts in it; all else is forgotten. */
  track(active: readonly TrackedRollout[]): void {
    const kept = new Set(active.map(({ rollout }) => rollout));
    for (const rollout of [...this.#slots.keys(), ...this.#read.keys()])
      if (!kept.has(rollout)) {
        this.#slots.delete(rollout);
        this.#obsolete.push({ rollout });
      }
    for (const tracked of active) this.#trackOne(tracked);
    this.#read.clear();
  }

  /** Evidence of the open wave of a rollout; none where it has none. */
  of(rollout: string): Exposures {
    return this.#slots.get(rollout) ?? NO_EXPOSURES;
  }

  store(db: Database, beats: readonly FreshHeartbeat[]): void {
    this.#staged.clear();
    this.#deleteObsolete(db);
    for (const { device, beat, receivedAt } of beats) this.#stage(device, beat, receivedAt);
    if (this.#staged.size === 0) return;
    this.#write ??= db.prepare(
      `INSERT INTO exposures (rollout, device, wave, opened_at, arm, hardware_class, sums)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (rollout, device) DO UPDATE SET wave = excluded.wave, opened_at = excluded.opened_at,
         arm = excluded.arm, hardware_class = excluded.hardware_class, sums = excluded.sums`,
    );
    for (const { slot, device, exposure } of this.#staged.values()) {
      const member = slot.member(device);
      if (!member) continue;
      const { arm, hardwareClass } = member;
      this.#write.run(
        slot.rollout,
        device,
        slot.wave,
        slot.grid.openedAt,
        arm,
        hardwareClass,
        exposure.toBytes(),
      );
    }
  }

  stored(): void {
    this.#obsolete.splice(0, this.#deleting);
    this.#deleting = 0;
    for (const { slot, device, base, exposure } of this.#staged.values()) {
      // Since it was staged the tick may have gone on to the next wave, or the device to the other arm.
      if (this.#slots.get(slot.rollout) === slot && slot.device(device) === base) slot.put(device, exposure);
    }
    this.#staged.clear();
  }

  #trackOne(tracked: TrackedRollout): void {
    const { rollout, members } = tracked;
    const former = this.#slots.get(rollout);
    if (former?.isOf(tracked)) {
      for (const device of former.setMembers(members)) this.#obsolete.push({ rollout, device });
      return;
    }
    const slot = new TrackedExposures(tracked);
    slot.setMembers(members);
    this.#slots.set(rollout, slot);
    this.#obsolete.push({ rollout, keep: slot });
    for (const row of this.#read.get(rollout) ?? []) this.#adopt(slot, row);
  }

  #adopt(slot: TrackedExposures, row: Row): void {
    if (row.wave !== slot.wave || row.opened_at !== slot.grid.openedAt) return;
    const member = slot.member(row.device);
    const same = member?.arm === row.arm && member.hardwareClass === row.hardware_class;
    const exposure = same ? DeviceExposure.fromBytes(slot.grid, row.sums) : undefined;
    if (exposure) slot.put(row.device, exposure);
    else this.#obsolete.push({ rollout: row.rollout, device: row.device });
  }

  #stage(device: string, { inference }: Heartbeat, receivedAt: number): void {
    for (const slot of this.#slots.values()) {
      const key = `${slot.rollout}/${device}`;
      const staged = this.#staged.get(key);
      const base = staged ? staged.base : slot.device(device);
      const exposure = slot.after(device, staged?.exposure ?? base, inference, receivedAt);
      if (exposure) this.#staged.set(key, { slot, device, base, exposure });
    }
  }

  #deleteObsolete(db: Database): void {
    if (this.#obsolete.length === 0) return;
    const byDevice = db.prepare("DELETE FROM exposures WHERE rollout = ? AND device = ?");
    const byWave = db.prepare("DELETE FROM exposures WHERE rollout = ? AND NOT (wave = ? AND opened_at = ?)");
    const whole = db.prepare("DELETE FROM exposures WHERE rollout = ?");
    for (const { rollout, device, keep } of this.#obsolete) {
      if (device !== undefined) byDevice.run(rollout, device);
      else if (keep) byWave.run(rollout, keep.wave, keep.grid.openedAt);
      else whole.run(rollout);
    }
    this.#deleting = this.#obsolete.length;
  }
}
