import { MusterError } from "@muster/shared/errors";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { OpenKeys } from "../keys/model-keys.ts";
import { type Conditions, FAIR } from "../power/conditions.ts";
import type { SessionTuning } from "../runner/control.ts";
import type { Deployment } from "./deployment.ts";
import { Endpoint } from "./endpoint.ts";
import type { GroupContext, LaunchedGroup } from "./group-context.ts";
import { Intake, TALLY_EDGES } from "./intake.ts";
import { endGroups, launchGroups } from "./launch-groups.ts";
import type { InferencePorts, InferenceStatus, Observed } from "./ports.ts";
import { ServedRelease } from "./served-release.ts";
import { DEFAULT_INFERENCE_SETTINGS, type InferenceSettings } from "./settings.ts";
import { type ShadowOrder, type ShadowRun, type ShadowSides, startShadow } from "./shadow.ts";
import { statusOf } from "./status.ts";

const noKeys: OpenKeys = async (keys) => {
  if (keys.length > 0) throw new MusterError("key.unavailable");
  return new Map();
};

const digestOf = (release: ServedRelease): string => release.deployment.release.digest;

/** A release that candidate runners have loaded and proven and that is not served yet. */
export interface Prepared {
  readonly deployment: Deployment;
  readonly components: RunningComponent[];
}

/**
 * Inference on this device, seen from the agent core: which release the runner serves, what it has proven, what it
 * counted. Requests never come by here; they go to the runner's own endpoint.
 *
 * One instance a process: runners share listening handles through the process-wide cluster module.
 */
export class Inference {
  readonly #settings: InferenceSettings;
  readonly #context: GroupContext;
  readonly #intake: Intake;
  readonly #candidates = new Map<Prepared, LaunchedGroup[]>();
  /** Releases whose runners end their last connections. */
  readonly #leaving = new Set<ServedRelease>();
  #conditions: Conditions = FAIR;
  #session: SessionTuning;
  readonly #stopping = new AbortController();
  /** What has to end before this process may: launches and leaving runners. */
  readonly #unfinished = new Set<Promise<unknown>>();
  #served: ServedRelease | undefined;
  #restarts = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws MusterError `settings.invalid` */
  constructor(ports: InferencePorts) {
    this.#settings = { ...DEFAULT_INFERENCE_SETTINGS, ...ports.settings };
    this.#session = this.#settings.session;
    this.#intake = new Intake(ports);
    this.#context = {
      version: ports.version,
      log: ports.log,
      onEvent: ports.onEvent,
      settings: this.#settings,
      endpoint: new Endpoint(this.#settings),
      edges: TALLY_EDGES,
      session: () => this.#session,
      openKeys: ports.openKeys ?? noKeys,
      onReport: ({ release }, runner, report) => this.#intake.take(release.digest, runner, report),
      onFresh: (_group, { runner }) => runner.send({ kind: "conditions", conditions: this.#conditions }),
      onChange: () => {
        this.#publish();
        this.#countServing();
        ports.onChange?.();
      },
      onCrash: ({ release }) => {
        this.#restarts += 1;
        this.#intake.crashed(release.digest);
      },
      track: (work) => void this.#track(work),
    };
  }

  /**
   * Loads a release in candidate runners beside what is served, checks digests and runs the golden sets.
   * @param lower a group whose first choice cannot be loaded goes down its ladder, and may be left out where another
   *   one can be served: for a release that was proven before and has to run now
   * @param signal ends the attempt
   * @throws MusterError `model.load-failed`, `model.golden-mismatch`, `artifact.corrupted`, `runner.crashed`,
   *   `runner.hung`, `request.conflict` when the signal fired; nothing is left behind then
   */
  async prepare(deployment: Deployment, lower = false, signal?: AbortSignal): Promise<Prepared> {
    const ends = AbortSignal.any([this.#stopping.signal, ...(signal ? [signal] : [])]);
    const groups = await this.#track(launchGroups(this.#context, deployment, lower, ends));
    const components = groups.flatMap(({ launched }) => launched?.components ?? []);
    const prepared = { deployment, components };
    this.#candidates.set(prepared, groups);
    return prepared;
  }

  /**
   * The candidate takes over the endpoint; the old runners end their connections and go, which may take longer.
   * @throws MusterError `request.conflict` for what was served or discarded already, `runner.crashed`, `runner.hung`;
   *   what was served is served still
   */
  serve(prepared: object): Promise<void> {
    return this.#inTurn(async () => {
      const launched = this.#candidates.get(prepared as Prepared);
      if (!launched)
        throw new MusterError(
          "request.conflict",
          "This release was served or discarded before; prepare it again.",
        );
      this.#candidates.delete(prepared as Prepared);
      const next = new ServedRelease(this.#context, (prepared as Prepared).deployment, launched);
      await next.begin(this.#settings.drainSeconds);
      const old = this.#served;
      this.#served = next;
      this.#intake.watch(digestOf(next));
      if (old) this.#leaving.add(old);
      this.#context.onChange();
      if (old) void this.#leave(old, "keep", this.#settings.drainSeconds);
    });
  }

  /**
   * A candidate computes a sample of what the live release answers, at the lowest priority. It keeps that priority:
   * discard it afterwards and prepare the release again.
   * @throws MusterError `request.conflict` for what was served or discarded already, `runner.crashed`, `runner.hung`
   */
  async shadow(prepared: object, order: ShadowOrder): Promise<ShadowRun> {
    const launched = this.#candidates.get(prepared as Prepared);
    if (!launched)
      throw new MusterError("request.conflict", "This candidate was served or discarded before.");
    const { release } = (prepared as Prepared).deployment;
    const sides: ShadowSides = {
      candidates: launched.flatMap(({ launched }) => launched ?? []),
      live: () =>
        (this.#served?.groups ?? []).flatMap(({ runner, models, state }) =>
          runner && state === "ready" ? [{ runner, models }] : [],
        ),
      listen: (shadow, listener) => this.#intake.listen(shadow, release.digest, listener),
    };
    return startShadow(sides, order);
  }

  /** Ends a candidate that is not wanted; one that was served or discarded before is left as it is. */
  async discard(prepared: object): Promise<void> {
    const launched = this.#candidates.get(prepared as Prepared);
    this.#candidates.delete(prepared as Prepared);
    await endGroups(launched ?? []);
  }

  /** What runners may do from now on; a runner that starts later is told too. */
  setConditions(conditions: Conditions): void {
    this.#conditions = conditions;
    for (const runner of this.#served?.runners ?? []) runner.send({ kind: "conditions", conditions });
  }

  /**
   * Replaces every runner that serves by a fresh one; no request fails. One that is being replaced or started anyway is
   * left to it.
   * @param why a plain clause, told in an event
   * @param session from now on; a session keeps for life what it began with
   */
  recycle(why: string, session?: SessionTuning): void {
    if (session) this.#session = session;
    for (const group of this.#served?.groups ?? []) group.recycle(why);
  }

  /** Serves nothing any more. Requests that have begun are answered. */
  idle(): Promise<void> {
    return this.#idle(this.#settings.drainSeconds);
  }

  /** Serves nothing any more, ends every runner and starts none again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#idle(this.#settings.stopSeconds);
    await Promise.allSettled(this.#unfinished);
    await Promise.all([...this.#candidates.keys()].map((prepared) => this.discard(prepared)));
    this.#context.endpoint.close();
  }

  status(): InferenceStatus {
    return statusOf(this.#served, this.#context.endpoint, this.#restarts);
  }

  /** What each release did since the last call. */
  takeCounters(): InferenceCounters[] {
    return this.#intake.takeCounters();
  }

  observed(): Observed {
    return { ...this.#intake.observed(), crashes: this.#served?.crashes ?? 0 };
  }

  #countServing(): void {
    const served = this.#served;
    const isServing = served?.groups.some(({ state }) => state === "ready");
    this.#intake.serves(served && isServing ? digestOf(served) : undefined);
  }

  #idle(seconds: number): Promise<void> {
    return this.#inTurn(async () => {
      const old = this.#served;
      if (!old) return;
      this.#served = undefined;
      this.#intake.watch(undefined);
      this.#context.onChange();
      await this.#leave(old, "close", seconds);
    });
  }

  #leave(old: ServedRelease, idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#leaving.add(old);
    const left = old.retire(idleConnections, seconds).finally(() => this.#leaving.delete(old));
    return this.#track(left);
  }

  /** Tells every runner, those that are leaving too, where each model is to be found now. */
  #publish(): void {
    const served = this.#served;
    if (!served) return;
    const standings = served.standings();
    for (const { runners } of [served, ...this.#leaving])
      for (const runner of runners) runner.send({ kind: "siblings", standings });
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#unfinished.delete(tracked));
    this.#unfinished.add(tracked);
    return tracked;
  }

  /** One change of what is served after the other. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }
}
