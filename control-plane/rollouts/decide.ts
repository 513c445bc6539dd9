import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { countDevices, situationOf } from "./counts.ts";
import { appraise, hasBegun, incriminates } from "./evidence.ts";
import { type GateView, judgeGate, successHolds } from "./gate.ts";
import {
  type DeviceRecord,
  type FactsOf,
  isSame,
  OPEN_STATUSES,
  type Rollout,
  type RolloutProgress,
} from "./model.ts";
import type { DeviceCounts } from "./views.ts";
import { counted } from "./words.ts";

/** One device that gets a newer directive. */
export interface Instruction {
  device: string;
  release: ReleaseRef | null;
}

export interface RolloutEvent {
  kind: string;
  sentence: string;
  numbers: Record<string, number>;
}

/** What a tick does, all of it in one transaction. */
export interface Decision {
  progress: RolloutProgress;
  /** Records that changed. */
  devices: DeviceRecord[];
  /** Directives to issue; the generation goes into the device's record. */
  instructions: Instruction[];
  /** Hardware classes on which the release failed. */
  quarantine: string[];
  events: RolloutEvent[];
}

export interface DecisionLimits {
  /** Most directives issued in one tick; the rest follow in the next. */
  instructionsPerTick: number;
}

/**
 * The next step of a rollout: a pure function of what is stored, what is known of the devices, and the time.
 * Errors are judged before success; a paused rollout goes on to take in evidence, and a gate that is violated
 * then still turns it back. After its end only late evidence of single devices is taken in.
 */
export function decide(rollout: Rollout, factsOf: FactsOf, now: number, limits: DecisionLimits): Decision {
  if (rollout.state === "draft") return new Step(rollout, factsOf, now, limits).decision();
  const step = new Step(rollout, factsOf, now, limits);
  step.appraiseAll();
  if (step.state === "running" || step.state === "paused") step.passGate();
  if (step.state === "running") step.tellWave();
  if (step.state === "reverting") step.turnBack(() => true, "reverted");
  if (step.state === "aborting")
    step.turnBack((record, facts) => record.status === "told" && !hasBegun(record, facts), "aborted");
  return step.decision();
}

/** Gate of the open wave as it stands, or as it was when it stopped the rollout; null before the start. */
export function gateOf(rollout: Rollout, factsOf: FactsOf, now: number): GateView | null {
  const open = rollout.state === "running" || rollout.state === "paused";
  if (!open || rollout.wave === null) return rollout.gate;
  return judgeGate(gateInput(rollout, rollout.devices, rollout, factsOf, now));
}

function gateInput(
  { plan }: Rollout,
  devices: readonly DeviceRecord[],
  { wave, waveOpenedAt, gateHeldSince }: RolloutProgress,
  factsOf: FactsOf,
  now: number,
) {
  const last = devices.reduce((highest, record) => Math.max(highest, record.wave), 0);
  return {
    number: (wave ?? 0) + 1,
    wave: countDevices(
      devices.filter((record) => record.wave === wave),
      factsOf,
    ),
    all: countDevices(devices, factsOf),
    isLast: wave === last,
    plan: plan.gate,
    deviceTimeoutSeconds: plan.deviceTimeoutSeconds,
    openedAt: waveOpenedAt ?? now,
    heldSince: gateHeldSince,
    now,
  };
}

class Step {
  readonly #rollout: Rollout;
  readonly #factsOf: FactsOf;
  readonly #now: number;
  #room: number;
  #progress: RolloutProgress;
  #devices: DeviceRecord[];
  readonly #instructions: Instruction[] = [];
  readonly #quarantine = new Set<string>();
  readonly #events: RolloutEvent[] = [];

  constructor(rollout: Rollout, factsOf: FactsOf, now: number, limits: DecisionLimits) {
    this.#rollout = rollout;
    this.#factsOf = factsOf;
    this.#now = now;
    this.#room = limits.instructionsPerTick;
    const { state, reason, wave, waveOpenedAt, gateHeldSince, waveAccepted, gate, endedAt } = rollout;
    this.#progress = { state, reason, wave, waveOpenedAt, gateHeldSince, waveAccepted, gate, endedAt };
    this.#devices = [...rollout.devices];
  }

  get state() {
    return this.#progress.state;
  }

  decision(): Decision {
    const changed = this.#devices.filter((record, index) => record !== this.#rollout.devices[index]);
    return {
      progress: this.#progress,
      devices: changed,
      instructions: this.#instructions,
      quarantine: [...this.#quarantine],
      events: this.#events,
    };
  }

  /** Takes in the evidence. What has ended for good stays: a later rollout may have changed those devices. */
  appraiseAll(): void {
    const over = this.#progress.endedAt !== null;
    this.#devices = this.#devices.map((record) => {
      if (over && !OPEN_STATUSES.includes(record.status)) return record;
      const next = appraise(this.#rollout, record, this.#factsOf(record.device), this.#now);
      if (next.status === "failed" && record.status !== "failed")
        this.#event(
          "device-failed",
          `${next.name} at ${next.site} failed (${next.outcome}): ${next.failure?.message ?? "no reason was given"}`,
          {},
        );
      return isSame(record, next) ? record : next;
    });
  }

  passGate(): void {
    if (this.#progress.wave === null) this.#openWave(0);
    const input = gateInput(this.#rollout, this.#devices, this.#progress, this.#factsOf, this.#now);
    const holds = successHolds(input);
    if (holds && this.#progress.gateHeldSince === null) this.#progress.gateHeldSince = this.#now;
    if (!holds) this.#progress.gateHeldSince = null;
    const gate = judgeGate({ ...input, heldSince: this.#progress.gateHeldSince });

    if (gate.verdict === "violated") this.#stop(gate);
    else if (this.state === "paused") return;
    else if (gate.verdict === "met") this.#advance(gate, gate.reason);
    else if (this.#progress.waveAccepted && input.wave.waiting === 0)
      this.#advance(gate, `The operator accepted wave ${input.number} as it was. ${gate.reason}`);
    else if (gate.waitingFor === null) {
      this.#progress = { ...this.#progress, state: "paused", reason: gate.reason, gate };
      this.#event("paused", gate.reason, numbersOf(input.wave));
    }
  }

  /** Tells the devices of the open wave, and late ones of those before, as many as one tick may. */
  tellWave(): void {
    const { wave } = this.#progress;
    if (wave === null) return;
    this.#devices = this.#devices.map((record) => {
      if (record.status !== "waiting" || record.wave > wave || this.#room === 0) return record;
      this.#room -= 1;
      const facts = this.#factsOf(record.device);
      this.#instructions.push({ device: record.device, release: this.#rollout.release });
      return {
        ...record,
        status: "told",
        previous: facts.reported?.running ?? facts.desired,
        toldAt: this.#now,
        reachedAt: facts.online ? this.#now : null,
      };
    });
  }

  /**
   * Gives the previous release back to each told device that `which` names, and ends when every device that can
   * be reached has settled. Those offline have their retained directive and are counted apart.
   */
  turnBack(
    which: (record: DeviceRecord, facts: ReturnType<FactsOf>) => boolean,
    end: "reverted" | "aborted",
  ): void {
    let left = 0;
    this.#devices = this.#devices.map((record) => {
      const facts = this.#factsOf(record.device);
      const told = record.status === "told" || record.status === "succeeded" || record.status === "failed";
      if (!told || !facts.active || facts.owner !== this.#rollout.id || !which(record, facts)) return record;
      if (this.#room === 0) {
        left += 1;
        return record;
      }
      this.#room -= 1;
      this.#instructions.push({ device: record.device, release: record.previous });
      const outcome = end === "aborted" ? { outcome: "canceled" } : {};
      return { ...record, status: "returning", returnedAt: this.#now, ...outcome };
    });
    if (left > 0 || this.#devices.some((record) => this.#isUnsettled(record))) return;
    this.#progress = { ...this.#progress, state: end, endedAt: this.#now };
    const counts = countDevices(this.#devices, this.#factsOf);
    const away = counts.returning + counts.offline;
    const stuck = counts.returnFailed > 0 ? ` ${counts.returnFailed} could not go back.` : "";
    const rest = away > 0 ? ` ${away} cannot be reached; the directive waits.` : "";
    this.#event(
      end,
      `${counted(counts.returned, "device")} ${counts.returned === 1 ? "is" : "are"} back on the previous release.${stuck}${rest}`,
      numbersOf(counts),
    );
  }

  /** At work and within reach: worth waiting for. */
  #isUnsettled(record: DeviceRecord): boolean {
    const { online } = this.#factsOf(record.device);
    const situation = situationOf(record, online);
    if (situation === "pending" || situation === "silent") return true;
    if (situation !== "returning") return false;
    const overdue = this.#now - (record.returnedAt ?? 0) >= this.#rollout.plan.deviceTimeoutSeconds * 1000;
    return online && !overdue;
  }

  #stop(gate: GateView): void {
    const { onFailure } = this.#rollout.plan;
    if (onFailure === "pause" && this.state === "paused") return;
    for (const record of this.#devices) if (incriminates(record)) this.#quarantine.add(record.hardwareClass);
    const numbers = numbersOf(countDevices(this.#devices, this.#factsOf));
    if (onFailure === "revert") {
      this.#progress = { ...this.#progress, state: "reverting", reason: gate.reason, gate };
      this.#event("gate-violated", `${gate.reason} Every device goes back.`, numbers);
    } else {
      this.#progress = { ...this.#progress, state: "paused", reason: gate.reason, gate };
      this.#event("gate-violated", `${gate.reason} The rollout pauses.`, numbers);
    }
  }

  #advance(gate: GateView, sentence: string): void {
    this.#progress.gate = gate;
    const wave = this.#progress.wave ?? 0;
    const counts = countDevices(this.#devices, this.#factsOf);
    this.#event("gate-met", sentence, numbersOf(counts));
    if (this.#devices.some((record) => record.wave > wave)) {
      this.#openWave(wave + 1);
      return;
    }
    this.#progress = { ...this.#progress, state: "completed", reason: null, endedAt: this.#now };
    const away =
      counts.offline > 0
        ? ` ${counts.offline} ${counts.offline === 1 ? "is" : "are"} offline; the directive waits.`
        : "";
    this.#event(
      "completed",
      `${counts.succeeded} of ${counted(counts.total, "device")} ${counts.succeeded === 1 ? "runs" : "run"} the release, ${counts.failed} failed.${away}`,
      numbersOf(counts),
    );
  }

  #openWave(wave: number): void {
    this.#progress = {
      ...this.#progress,
      wave,
      waveOpenedAt: this.#now,
      gateHeldSince: null,
      waveAccepted: false,
    };
    const members = this.#devices.filter((record) => record.wave === wave);
    const sites = new Set(members.map(({ site }) => site)).size;
    this.#event(
      "wave-opened",
      `Wave ${wave + 1} begins: ${counted(members.length, "device")} at ${counted(sites, "site")}.`,
      {
        wave: wave + 1,
        devices: members.length,
        sites,
      },
    );
  }

  #event(kind: string, sentence: string, numbers: Record<string, number>): void {
    this.#events.push({ kind, sentence, numbers });
  }
}

const numbersOf = (counts: DeviceCounts): Record<string, number> => ({ ...counts });

/** True when a tick has nothing to store. */
export const changesNothing = (rollout: Rollout, { progress, devices, events }: Decision): boolean =>
  devices.length === 0 &&
  events.length === 0 &&
  progress.state === rollout.state &&
  progress.wave === rollout.wave &&
  progress.gateHeldSince === rollout.gateHeldSince;
