import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, type ErrorCode } from "@muster/shared/errors";
import type { PowerHealth } from "@muster/shared/protocol/messages";
import type { PowerPolicyPayload } from "@muster/shared/protocol/power-policy";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Database } from "better-sqlite3";
import type { SessionTuning } from "../runner/control.ts";
import { actionsOf, actionWords, conditionsOf, limited } from "./actions.ts";
import type { BoxPower } from "./box-power.ts";
import { type Conditions, FAIR } from "./conditions.ts";
import { deferredUntil } from "./deferral.ts";
import { busyCpuMs, type EnergyRate, type EnergyRules, energyRate } from "./energy.ts";
import { COOL, type GovernorState, govern, type LevelChange, levelOf } from "./governor.ts";
import { Policy, type PolicyVerdict } from "./policy.ts";
import { type PowerRules, powerRules } from "./rules.ts";
import { type Reading, Sensors, SILENCE } from "./sensors/sensors.ts";

export interface PowerPorts {
  /** Device id, the audience of policies. */
  readonly device: string;
  readonly database: Database;
  readonly keysFor: (keyId: string) => Promise<TrustedKeys>;
  /** What the box owner told. */
  readonly box: BoxPower | undefined;
  /** Where the kernel shows its devices. */
  readonly sysfs: string;
  /** Time between two readings, milliseconds. */
  readonly sampleMs: number;
  /** Part of the rules that a test changes. */
  readonly rules?: Partial<PowerRules>;
  /** Tells the runners what holds now; called when it changes. */
  readonly apply: (conditions: Conditions) => void;
  /** How sessions use the processor where nothing binds. */
  readonly session: SessionTuning;
  /** Sessions are to use the processor so from now on; called when it changes. */
  readonly retune: (session: SessionTuning) => void;
  /** Something worth keeping. */
  readonly onEvent: (code: ErrorCode, message: string) => void;
  /** Something that whoever sends documents can cause at any rate. */
  readonly onNotice: (code: ErrorCode, message: string) => void;
  readonly log: { warn(fields: object, message: string): void };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
}

/** What `status` shows. Times in milliseconds since the epoch. */
export interface PowerStatus extends Omit<PowerHealth, "watts"> {
  readonly reading: Reading | null;
  readonly conditions: Conditions;
  readonly energy: EnergyRate["basis"];
  readonly mjPerCpuMs: number | null;
  readonly policy: Omit<PowerPolicyPayload, "v" | "device"> | null;
}

/** Heat and power of the box: reads the sensors, holds the levels, tells the runners, keeps the policy. */
export class Power {
  readonly #ports: PowerPorts;
  readonly #rules: PowerRules;
  readonly #energyRules: EnergyRules;
  readonly #sensors: Sensors;
  readonly #policy: Policy;
  #state: GovernorState = COOL;
  #reading: Reading | null = null;
  #rate: EnergyRate;
  #conditions: Conditions = FAIR;
  #session: SessionTuning;
  #before: { at: number; busyMs: number } | undefined;
  /** Measured since the last heartbeat. */
  #drawn = { energyMj: 0, ms: 0 };
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  /** A look at the sensors that has not ended yet. */
  #asked: Promise<Reading> | undefined;
  readonly #stopping = new AbortController();

  /** @throws MusterError of the storage family */
  constructor(ports: PowerPorts) {
    const { box, sysfs, monotonic, device, database, keysFor, now } = ports;
    this.#ports = ports;
    this.#session = ports.session;
    this.#rules = { ...powerRules(box), ...ports.rules };
    this.#energyRules = { idleWatts: box?.idleWatts ?? null, wattsPerCore: box?.wattsPerCore ?? null };
    this.#rate = energyRate({ energyMj: null }, 0, 0, this.#energyRules);
    this.#sensors = new Sensors({ root: sysfs, meters: box?.meters ?? [], monotonic });
    this.#policy = new Policy({
      ...{ device, database, keysFor, now },
      onAccepted: () => this.#follow(),
      onRefused: ({ code, message }) => ports.onNotice(code, `A power policy was refused: ${message}`),
    });
  }

  /** Takes up the policy that is kept and looks at the sensors from now on. */
  start(): void {
    this.#follow();
    this.#look();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Takes a policy as it was received; a bad one is refused and told. */
  offer(received: string | Uint8Array): Promise<PolicyVerdict> {
    return this.#policy.offer(received);
  }

  /** What a millisecond of processor time costs now. */
  get energyRate(): EnergyRate {
    return this.#rate;
  }

  /** Hottest sensor as it was looked at last, degrees Celsius; null where there is none. */
  get temperatureC(): number | null {
    return this.#reading?.temperatureC ?? null;
  }

  /** For one heartbeat: `watts` is the mean since the last call. Undefined where the box tells nothing. */
  takeHealth(): PowerHealth | undefined {
    const { heat, draw } = this.#state;
    const { energyMj, ms } = this.#drawn;
    this.#drawn = { energyMj: 0, ms: 0 };
    const reading = this.#reading;
    const knows = reading && [reading.temperatureC, reading.watts, reading.throttled, reading.supply];
    if (!knows?.some((value) => value !== null) && this.#rate.basis === null) return undefined;
    const watts = ms > 0 ? energyMj / ms : (reading?.watts ?? null);
    return {
      heat: levelOf(heat),
      draw: levelOf(draw),
      watts: watts === null ? null : Math.round(watts * 100) / 100,
      energy: this.#rate.basis,
    };
  }

  status(): PowerStatus {
    const { newest } = this.#policy;
    const { v: _v, device: _device, ...policy } = newest ?? { v: 1, device: "" };
    return {
      heat: levelOf(this.#state.heat),
      draw: levelOf(this.#state.draw),
      reading: this.#reading,
      conditions: this.#conditions,
      energy: this.#rate.basis,
      mjPerCpuMs: this.#rate.mjPerCpuMs,
      policy: newest && (policy as Omit<PowerPolicyPayload, "v" | "device">),
    };
  }

  #look(): void {
    this.#looking = this.#sample()
      .catch((error: unknown) => {
        const { code, message } = asMusterError(error);
        this.#ports.log.warn({ code }, `heat and power could not be judged: ${message}`);
      })
      .finally(() => {
        if (!this.#stopping.signal.aborted)
          this.#timer = setTimeout(() => this.#look(), this.#ports.sampleMs);
      });
  }

  async #sample(): Promise<void> {
    const reading = await this.#read();
    if (this.#stopping.signal.aborted) return;
    const at = this.#ports.monotonic();
    const busyMs = busyCpuMs();
    const spanMs = at - (this.#before?.at ?? at);
    const spentMs = busyMs - (this.#before?.busyMs ?? busyMs);
    // Processor time is told in steps of 10 ms: an idle moment keeps the rate of the one before.
    if (reading.energyMj === null || spentMs > 0)
      this.#rate = energyRate(reading, spanMs, spentMs, this.#energyRules);
    this.#before = { at, busyMs };
    if (reading.energyMj !== null) {
      this.#drawn.energyMj += reading.energyMj;
      this.#drawn.ms += spanMs;
    }
    this.#reading = reading;
    const { state, changes } = govern(this.#state, reading, this.#rules, at);
    this.#state = state;
    this.#follow();
    for (const change of changes) this.#tell(change);
  }

  /** A sensor that never answers must not hold the levels where they are. */
  async #read(): Promise<Reading> {
    this.#asked ??= this.#sensors.read().finally(() => {
      this.#asked = undefined;
    });
    const patience = new AbortController();
    const signal = AbortSignal.any([patience.signal, this.#stopping.signal]);
    const silence = sleep(this.#rules.silenceMs, undefined, { signal, ref: false }).catch(() => undefined);
    try {
      const reading = await Promise.race([this.#asked, silence]);
      if (!reading && !this.#stopping.signal.aborted && this.#reading !== SILENCE)
        this.#ports.log.warn(
          { event: "power.silent" },
          `the sensors have not answered for ${this.#rules.silenceMs} ms; until they do, nothing is known of heat and power`,
        );
      return reading ?? SILENCE;
    } finally {
      patience.abort();
    }
  }

  /** Tells the runners what holds now, where that is another thing than before. */
  #follow(): void {
    const actions = actionsOf(this.#state, this.#rules);
    const waits = deferredUntil(this.#policy.newest, this.#ports.now());
    const before = this.#conditions;
    this.#conditions = conditionsOf(actions, waits);
    if (JSON.stringify(before) !== JSON.stringify(this.#conditions)) this.#ports.apply(this.#conditions);
    const session = limited(this.#ports.session, actions);
    if (JSON.stringify(this.#session) !== JSON.stringify(session)) {
      this.#session = session;
      this.#ports.retune(session);
    }
    const wasWaiting = before.bestEffort.deferredUntil !== null;
    if (waits !== null && !wasWaiting)
      this.#ports.onEvent(
        "power.deferred",
        `Best-effort work waits until ${new Date(waits).toISOString()} by policy ${this.#policy.newest?.generation}.`,
      );
    if (waits === null && wasWaiting) this.#ports.onEvent("power.resumed", "Best-effort work may run again.");
  }

  #tell({ cause, from, to, rises, reason }: LevelChange): void {
    const actions = actionsOf(this.#state, this.#rules);
    this.#ports.onEvent(
      rises ? "power.restricted" : "power.eased",
      `${cause === "heat" ? "Heat" : "Power"} went from ${from} to ${to} (${reason}): ${actionWords(actions)}.`,
    );
  }
}
