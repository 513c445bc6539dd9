import type { HoldReason } from "../admission/admit.ts";
import { countDevices } from "../counts.ts";
import type { GateView } from "../gate/views.ts";
import { type DeviceRecord, progressOf, type Rollout, type RolloutProgress } from "../model.ts";
import type { DeviceCounts } from "../views.ts";
import type { Decision, DecisionLimits, Facts, Instruction, RolloutEvent } from "./types.ts";

/** A decision in the making: what the rules have changed so far, on top of the rollout as it was. */
export class Step {
  readonly rollout: Rollout;
  readonly facts: Facts;
  readonly now: number;
  readonly limits: DecisionLimits;
  readonly quarantine = new Set<string>();
  readonly held = new Map<string, HoldReason>();
  progress: RolloutProgress;
  more = false;
  appraised = true;
  gateNow: GateView | null;
  #devices: readonly DeviceRecord[];
  readonly #changed = new Set<number>();
  readonly #instructions: Instruction[] = [];
  readonly #events: RolloutEvent[] = [];
  #counts: ReturnType<typeof countDevices> | undefined;

  constructor(rollout: Rollout, facts: Facts, now: number, limits: DecisionLimits) {
    this.rollout = rollout;
    this.facts = facts;
    this.now = now;
    this.limits = limits;
    this.progress = progressOf(rollout);
    this.gateNow = rollout.gate;
    this.#devices = rollout.devices;
  }

  get state() {
    return this.progress.state;
  }

  /** Records as changed so far. */
  get devices(): readonly DeviceRecord[] {
    return this.#devices;
  }

  /** Directives that this decision may still issue. */
  get room(): number {
    return this.limits.instructions - this.#instructions.length;
  }

  /** True once as many records changed as one decision may change. */
  get full(): boolean {
    return this.#changed.size >= this.limits.changes;
  }

  /** True for what this decision puts in quarantine as well. */
  isQuarantined(digest: string, hardwareClass: string): boolean {
    const own = digest === this.rollout.release.digest && this.quarantine.has(hardwareClass);
    return own || this.facts.isQuarantined(digest, hardwareClass);
  }

  change(index: number, record: DeviceRecord): void {
    if (this.#devices === this.rollout.devices) this.#devices = [...this.rollout.devices];
    (this.#devices as DeviceRecord[])[index] = record;
    this.#changed.add(index);
    this.#counts = undefined;
  }

  instruct(instruction: Instruction): void {
    this.#instructions.push(instruction);
  }

  event(kind: string, sentence: string, numbers: Record<string, number> = {}): void {
    this.#events.push({ kind, sentence, numbers });
  }

  /** Counts of the records as changed so far; `wave` is that of the open wave. */
  counts(): { wave: DeviceCounts; all: DeviceCounts; waves: number } {
    const open = this.progress.wave;
    this.#counts ??= countDevices(this.#devices, this.standing(), this.facts);
    const { waves, all } = this.#counts;
    return { wave: waves[open ?? 0] ?? all, all, waves: waves.length };
  }

  /** What the situation of a device depends on besides the device. */
  standing(): { open: number | null; ended: boolean } {
    return { open: this.progress.wave, ended: this.progress.endedAt !== null };
  }

  /** Records whose word counts: not those of devices that are withheld. */
  trusted(): readonly DeviceRecord[] {
    if (this.counts().all.withheld === 0) return this.#devices;
    return this.#devices.filter((_, place) => !this.facts.isWithheld(place));
  }

  /** Moves the progress on; counts depend on the open wave. */
  move(change: Partial<RolloutProgress>): void {
    this.progress = { ...this.progress, ...change };
    if (change.wave !== undefined || change.endedAt !== undefined) this.#counts = undefined;
  }

  decision(): Decision {
    return {
      progress: this.progress,
      devices: this.#devices,
      changed: [...this.#changed],
      instructions: this.#instructions,
      quarantine: [...this.quarantine],
      events: this.#events,
      gateNow: this.gateNow,
      held: this.held,
      more: this.more,
      appraised: this.appraised,
    };
  }
}

export const numbersOf = (counts: DeviceCounts): Record<string, number> => ({ ...counts });
