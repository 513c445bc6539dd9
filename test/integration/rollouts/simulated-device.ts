import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState, RunningComponent, UpdatePhase } from "@muster/shared/protocol/state";
import { type Directive, verifyDirective } from "@muster/shared/trust/directive";
import type { World } from "./world.ts";

/** How a box takes releases with sequence 2 and above; all of it counted in steps of ten seconds. */
export interface Behaviour {
  /** `roll-back` fails probation, `hang` never ends, `crash-later` succeeds and breaks afterwards. */
  onUpdate?: "succeed" | "roll-back" | "hang" | "crash-later" | "reject";
  /** Code of the failure when it rolls back. */
  failure?: Failure["code"];
  /** Steps from taking a directive up to its end. */
  takes?: number;
  /** First step (counted from 0) in which it is offline, and the first in which it is back. */
  offlineFrom?: number;
  offlineUntil?: number;
}

const STEP_SECONDS = 10;

/** A device as the control plane sees it: takes the retained directive, reports as ingest stores it. */
export class SimulatedDevice {
  readonly id: string;
  readonly behaviour: Behaviour;
  running: ReleaseRef | null;
  /** Versions that it activated, in order. */
  readonly visited: (string | null)[] = [];
  online = true;
  readonly #world: World;
  readonly #manifests: readonly ReleaseManifest[];
  #generation = 0;
  #runner: ReportedState["runner"] = "ready";
  #update: { directive: Directive; left: number } | undefined;
  #lastResult: ReportedState["lastResult"] = null;
  #refused: ReportedState["refused"] = null;
  #crashIn = Number.POSITIVE_INFINITY;
  #step = -1;
  #heard: string | undefined;
  #told: string | undefined;

  constructor(
    id: string,
    behaviour: Behaviour,
    world: World,
    manifests: readonly ReleaseManifest[],
    running: ReleaseRef | null,
  ) {
    this.id = id;
    this.behaviour = behaviour;
    this.#world = world;
    this.#manifests = manifests;
    this.running = running;
    this.#setOnline();
  }

  /** One step: offline boxes go on with what they have begun and tell it when they are back. */
  live(): void {
    this.#step += 1;
    this.#setOnline();
    if (this.online) this.#receive();
    this.#work();
    if (this.online) this.report();
  }

  /** Its runner fails from now on, until it activates something else. */
  breakDown(): void {
    this.#runner = "failed";
  }

  #setOnline(): void {
    const { offlineFrom = Number.POSITIVE_INFINITY, offlineUntil = Number.POSITIVE_INFINITY } =
      this.behaviour;
    this.online = this.#step < offlineFrom || this.#step >= offlineUntil;
  }

  #receive(): void {
    const text = this.#world.retained.get(this.id);
    if (text === undefined || text === this.#heard) return;
    this.#heard = text;
    const directive = JSON.parse(text) as Directive;
    const { directive: key } = this.#world.keys;
    const verdict = verifyDirective(directive, {
      device: this.id,
      generation: this.#generation,
      floor: 0,
      keys: { [key.keyId]: key.publicKey },
      now: this.#world.now,
    });
    if (verdict === "current") return;
    this.#generation = directive.payload.generation;
    if (this.#update) this.#end(this.#update.directive, "superseded");
    if (directive.payload.release?.digest === this.running?.digest) return;
    if (this.#onUpdate(directive) === "reject") {
      this.#refused = {
        generation: this.#generation,
        failure: { code: "release.no-variant", message: "Nothing runs here." },
        at: this.#world.now,
      };
      return;
    }
    const inShadow = (directive.payload.shadow?.seconds ?? 0) / STEP_SECONDS;
    this.#update = { directive, left: (this.behaviour.takes ?? 1) + inShadow };
  }

  /** The release that runs beside the live one now. */
  get shadowed(): ReleaseRef | null {
    const { left = 0, directive } = this.#update ?? {};
    return left > (this.behaviour.takes ?? 1) ? (directive?.payload.release ?? null) : null;
  }

  #onUpdate({ payload }: Directive): Behaviour["onUpdate"] {
    const isNew = (payload.release?.sequence ?? 0) >= 2;
    return isNew ? (this.behaviour.onUpdate ?? "succeed") : "succeed";
  }

  #work(): void {
    this.#crashIn -= 1;
    if (this.#crashIn <= 0) this.#runner = "failed";
    if (!this.#update || this.#onUpdate(this.#update.directive) === "hang") return;
    this.#update.left -= 1;
    if (this.#update.left > 0) return;
    const { directive } = this.#update;
    const how = this.#onUpdate(directive);
    if (how === "roll-back") {
      this.#end(directive, "failed-rolled-back", {
        code: this.behaviour.failure ?? "model.golden-mismatch",
        message: "3 of 16 golden outputs differ.",
      });
      return;
    }
    this.running = directive.payload.release;
    this.visited.push(this.running?.version ?? null);
    this.#runner = "ready";
    this.#crashIn = how === "crash-later" ? 3 : Number.POSITIVE_INFINITY;
    this.#end(directive, "succeeded");
  }

  #end(
    { payload }: Directive,
    outcome: "succeeded" | "failed-rolled-back" | "superseded",
    failure?: Failure,
  ) {
    this.#update = undefined;
    const { generation, release, rollout } = payload;
    const at = this.#world.now;
    this.#lastResult = { generation, release, outcome, at, ...(failure ? { failure } : {}) };
    const phase: UpdatePhase = outcome === "failed-rolled-back" ? "rolled-back" : "committed";
    this.#world.stores.controlRaw
      .prepare(
        "INSERT OR REPLACE INTO device_updates (device, generation, rollout, release, phase, outcome, failure, started_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      )
      .run(
        this.id,
        generation,
        rollout,
        JSON.stringify(release),
        phase,
        outcome,
        failure ? JSON.stringify(failure) : null,
        at,
        at,
      );
  }

  /** Stores the reported state as ingest does, which is told where it changed. */
  report(): void {
    const update = this.#update?.directive.payload;
    const state: ReportedState = {
      generation: this.#generation,
      running: this.running,
      components: this.#components(),
      runner: this.running ? this.#runner : "idle",
      update: update
        ? {
            generation: update.generation,
            release: update.release,
            phase: this.shadowed ? "staged" : "fetching",
            since: this.#world.now,
          }
        : null,
      lastResult: this.#lastResult,
      refused: this.#refused,
    };
    const text = JSON.stringify(state);
    if (text === this.#told) return;
    this.#told = text;
    this.#world.stores.controlRaw
      .prepare("UPDATE devices SET reported = ?, running_digest = ?, reported_at = ? WHERE id = ?")
      .run(text, this.running?.digest ?? null, this.#world.now, this.id);
  }

  #components(): RunningComponent[] {
    const manifest = this.#manifests.find(
      ({ name, sequence }) => name === this.running?.name && sequence === this.running.sequence,
    );
    return (manifest?.components ?? []).map((component) => {
      const { type, name, version } = component;
      if (component.type === "config") return { type, name, version, digest: component.document.digest };
      const [variant] = component.variants;
      return {
        type,
        name,
        version,
        digest: variant?.model.digest ?? "",
        variant: variant?.id ?? "",
        provider: "cpu",
      };
    });
  }
}
