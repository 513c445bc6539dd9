import { MusterError } from "@muster/shared/errors";
import { seededRandom } from "../../models/training/random.ts";
import type { Fault } from "../device/conduct.ts";
import type { Simulation } from "../simulation.ts";
import { Actor } from "../swarm.ts";
import { choose } from "./choice.ts";
import type { DeviceChoice, ScenarioEvent } from "./schema.ts";
import type { Moment } from "./timeline.ts";

/** How bad a fault is where the scenario does not say. */
const SEVERITY: Record<Fault["kind"], number> = {
  stage: 1,
  dies: 1,
  crashes: 3600,
  slower: 2,
  errors: 0.1,
  fallback: 0.5,
  drift: 4,
};

type EventOf<K extends ScenarioEvent["kind"]> = Extract<ScenarioEvent, { kind: K }>;

/** Lets the events of a scenario happen to a simulation. */
export class Director {
  readonly #simulation: Simulation;
  readonly #seed: number;
  /** Undoes an event, by its position. */
  readonly #undo = new Map<number, () => void | Promise<void>>();
  /** Ids of rollouts by their name in the scenario. */
  readonly rollouts = new Map<string, string>();

  constructor(simulation: Simulation, seed: number) {
    this.#simulation = simulation;
    this.#seed = seed;
  }

  /** @throws MusterError as the control plane answers what operators do */
  async happen({ event, edge, index }: Moment): Promise<void> {
    if (edge === "end") {
      await this.#undo.get(index)?.();
      this.#undo.delete(index);
      return;
    }
    const undo = await this.#begin(event, this.#seed + index);
    if (undo) this.#undo.set(index, undo);
  }

  /** Ends everything that still lasts. */
  async finish(): Promise<void> {
    for (const undo of this.#undo.values()) await undo();
    this.#undo.clear();
  }

  async #begin(event: ScenarioEvent, seed: number): Promise<(() => void | Promise<void>) | undefined> {
    switch (event.kind) {
      case "site-outage":
        return this.#outage(event, seed);
      case "flapping-uplink":
        return this.#flapping(event, seed);
      case "slow-devices": {
        const { work = 1, latency = 1 } = event;
        return this.#condition(
          event.devices,
          seed,
          { slowness: work, latencyFactor: latency },
          { slowness: 1, latencyFactor: 1 },
        );
      }
      case "clock-skew":
        return this.#condition(event.devices, seed, { skewMs: event.seconds * 1000 }, { skewMs: 0 });
      case "bad-release":
        return this.#badRelease(event, seed);
      case "duplicate-client-id":
        return this.#duplicate(event, seed);
      case "reconnect-storm":
        for (const actor of this.#actors(event.devices, seed)) actor.cut();
        return undefined;
      case "control-plane-restart":
        await this.#simulation.plane.stop(event.powerCut ? "power-cut" : "orderly");
        return () => this.#simulation.plane.start();
      case "rollout":
        return this.#rollOut(event);
      case "operator":
        return this.#operate(event);
    }
  }

  #actors(choice: DeviceChoice | undefined, seed: number): Actor[] {
    const { swarm, layout } = this.#simulation;
    const chosen = new Set(choose(layout.devices, choice, seed).map(({ index }) => index));
    return swarm.actors.filter(({ identity }) => chosen.has(identity.index));
  }

  #condition(
    choice: DeviceChoice | undefined,
    seed: number,
    change: Parameters<Actor["set"]>[0],
    back: Parameters<Actor["set"]>[0],
  ): () => void {
    const actors = this.#actors(choice, seed);
    for (const actor of actors) actor.set(change);
    return () => {
      for (const actor of actors) actor.set(back);
    };
  }

  #outage({ devices, silent }: EventOf<"site-outage">, seed: number): () => void {
    const actors = this.#actors(devices, seed);
    for (const actor of actors) {
      if (silent) actor.silence();
      else actor.set({ uplink: false });
    }
    return () => {
      for (const actor of actors) actor.restore();
    };
  }

  /** Each uplink on its own beat, half to one and a half times the given times. */
  #flapping({ devices, upSeconds, downSeconds }: EventOf<"flapping-uplink">, seed: number): () => void {
    const random = seededRandom(seed);
    const actors = this.#actors(devices, seed);
    const timers = new Map<Actor, NodeJS.Timeout>();
    const flip = (actor: Actor, uplink: boolean): void => {
      actor.set({ uplink });
      const seconds = (uplink ? upSeconds : downSeconds) * (0.5 + random());
      timers.set(
        actor,
        setTimeout(() => flip(actor, !uplink), seconds * 1000),
      );
    };
    for (const actor of actors) flip(actor, false);
    return () => {
      for (const timer of timers.values()) clearTimeout(timer);
      for (const actor of actors) actor.set({ uplink: true });
    };
  }

  #badRelease(event: EventOf<"bad-release">, seed: number): () => void {
    const { release, fault: kind, severity = SEVERITY[kind], afterSeconds = 0 } = event;
    const hit = new Set(
      choose(this.#simulation.layout.devices, event.devices, seed).map(({ index }) => index),
    );
    const { faults } = this.#simulation;
    const fault: Fault = {
      release,
      kind,
      severity,
      afterMs: afterSeconds * 1000,
      affects: ({ index }) => hit.has(index),
    };
    faults.push(fault);
    return () => {
      faults.splice(faults.indexOf(fault), 1);
    };
  }

  #duplicate({ devices }: EventOf<"duplicate-client-id">, seed: number): () => void {
    const { ports, baseline } = this.#simulation;
    const copies = this.#actors(devices, seed).map(({ identity, model }) => {
      const profile = { ...model.profile, seed: model.profile.seed + 1 };
      const copy = new Actor(identity, profile, ports, Date.now);
      copy.start(baseline);
      return copy;
    });
    return () => {
      for (const copy of copies) copy.stop();
    };
  }

  async #rollOut({ rollout, plan }: EventOf<"rollout">): Promise<undefined> {
    const { api } = this.#simulation.plane;
    const { id } = await api.send<{ id: string }>("POST", "/rollouts", plan);
    this.rollouts.set(rollout, id);
    await api.send("POST", `/rollouts/${id}/start`);
    return undefined;
  }

  async #operate({ rollout, action, body }: EventOf<"operator">): Promise<undefined> {
    const id = this.rollouts.get(rollout);
    if (id === undefined)
      throw new MusterError("scenario.invalid", `The rollout ${rollout} was not created.`);
    await this.#simulation.plane.api.send("POST", `/rollouts/${id}/${action}`, body);
    return undefined;
  }
}
