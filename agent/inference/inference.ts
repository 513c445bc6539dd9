import { asMusterError, MusterError } from "@muster/shared/errors";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { RunningComponent } from "@muster/shared/protocol/state";
import { type Conditions, FAIR } from "../power/conditions.ts";
import type { SessionTuning } from "../runner/control.ts";
import type { RunnerReport } from "../runner/reports.ts";
import type { Deployment } from "./deployment.ts";
import { Endpoint } from "./endpoint.ts";
import type { GroupContext, GroupInContext, LaunchedGroup } from "./group-context.ts";
import { addTally, emptyTally, quantile, type TallyEdges } from "./latency.ts";
import { endGroups, launchGroups } from "./launch-groups.ts";
import type { GroupStatus, InferencePorts, InferenceStatus, Observed } from "./ports.ts";
import type { Report, RunnerProcess } from "./runner-process.ts";
import type { ServedGroup } from "./served-group.ts";
import { ServedRelease } from "./served-release.ts";
import { ServingCounters } from "./serving.ts";
import { DEFAULT_INFERENCE_SETTINGS, type InferenceSettings } from "./settings.ts";
import { type ShadowOrder, type ShadowRun, type ShadowSides, startShadow } from "./shadow.ts";

const EDGES: TallyEdges = { latency: LATENCY_EDGES_MS, confidence: CONFIDENCE_EDGES };

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
  readonly #ports: InferencePorts;
  readonly #settings: InferenceSettings;
  readonly #context: GroupContext;
  readonly #candidates = new Map<Prepared, LaunchedGroup[]>();
  /** Releases whose runners end their last connections. */
  readonly #leaving = new Set<ServedRelease>();
  #conditions: Conditions = FAIR;
  #session: SessionTuning;
  readonly #stopping = new AbortController();
  /** What has to end before this process may: launches and leaving runners. */
  readonly #unfinished = new Set<Promise<unknown>>();
  #served: ServedRelease | undefined;
  #observed = emptyTally(EDGES);
  readonly #counters: ServingCounters;
  readonly #shadows = new Map<string, Parameters<ShadowSides["listen"]>[1]>();
  #restarts = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws MusterError `settings.invalid` */
  constructor(ports: InferencePorts) {
    this.#ports = ports;
    this.#settings = { ...DEFAULT_INFERENCE_SETTINGS, ...ports.settings };
    this.#session = this.#settings.session;
    this.#counters = new ServingCounters(
      EDGES,
      () => performance.now(),
      () => ports.energyRate?.() ?? null,
    );
    this.#context = {
      version: ports.version,
      log: ports.log,
      onEvent: ports.onEvent,
      settings: this.#settings,
      endpoint: new Endpoint(this.#settings),
      edges: EDGES,
      session: () => this.#session,
      onReport: (group, runner, report) => this.#take(group, runner, report),
      onFresh: (_group, { runner }) => runner.send({ kind: "conditions", conditions: this.#conditions }),
      onChange: () => {
        this.#publish();
        this.#countServing();
        ports.onChange?.();
      },
      onCrash: ({ release }) => {
        this.#restarts += 1;
        this.#counters.crashed(release.digest);
      },
      track: (work) => void this.#track(work),
    };
  }

  /**
   * Loads a release in candidate runners beside what is served, checks digests and runs the golden sets.
   * @param lower a group whose first choice cannot be loaded goes down its ladder, and may be left out where another
   *   one can be served: for a release that was proven before and has to run now
   * @throws MusterError `model.load-failed`, `model.golden-mismatch`, `artifact.corrupted`, `runner.crashed`,
   *   `runner.hung`; nothing is left behind then
   */
  async prepare(deployment: Deployment, lower = false): Promise<Prepared> {
    const groups = await this.#track(launchGroups(this.#context, deployment, lower, this.#stopping.signal));
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
      this.#observed = emptyTally(EDGES);
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
      listen: (shadow, listener) => {
        this.#shadows.set(shadow, (tallies) => {
          for (const { compared, agreed } of tallies) this.#counters.shadow(release.digest, compared, agreed);
          listener(tallies);
        });
        return () => this.#shadows.delete(shadow);
      },
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
    const served = this.#served;
    const listening = served?.listening;
    const port = listening?.port ?? null;
    return {
      state: served?.state ?? "idle",
      release: served?.deployment.release ?? null,
      retrying: served !== undefined && !served.damaged,
      components: served?.components ?? [],
      restarts: this.#restarts,
      pid: served?.groups[0]?.runner?.pid ?? null,
      rssBytes: served?.rssBytes ?? 0,
      groups: (served?.groups ?? []).map(groupStatus),
      endpoint: {
        url: port === null ? null : this.#context.endpoint.url(port),
        socket: listening?.socketPath ?? null,
        grpcPort: listening?.grpcPort ?? null,
        failure: listening?.failure ?? null,
      },
    };
  }

  /** What each release did since the last call. */
  takeCounters(): InferenceCounters[] {
    return this.#counters.take();
  }

  observed(): Observed {
    const { inferences, failures, latency } = this.#observed;
    return { inferences, failures, crashes: this.#served?.crashes ?? 0, p95Ms: quantile(latency, 0.95) };
  }

  #countServing(): void {
    const served = this.#served;
    const isServing = served?.groups.some(({ state }) => state === "ready");
    this.#counters.serves(served && isServing ? digestOf(served) : undefined);
  }

  #idle(seconds: number): Promise<void> {
    return this.#inTurn(async () => {
      const old = this.#served;
      if (!old) return;
      this.#served = undefined;
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

  #take({ release }: GroupInContext, runner: RunnerProcess, report: Report): void {
    if (report.kind === "report") this.#report(report.report);
    else this.#takeResults(release.digest, runner, report);
  }

  #takeResults(
    release: InferenceCounters["release"],
    runner: RunnerProcess,
    report: Extract<Report, { kind: "results" }>,
  ): void {
    const { batch, tally, dropped, records } = report;
    this.#counters.count(release, tally);
    if (this.#served && release === digestOf(this.#served)) this.#observed = addTally(this.#observed, tally);
    if (dropped > 0)
      this.#ports.onEvent({
        code: "results.dropped",
        message: `${dropped} results were dropped before they were stored.`,
      });
    try {
      this.#ports.onResults(records);
      runner.send({ kind: "stored", batch });
    } catch (error) {
      const { code, message } = asMusterError(error);
      this.#ports.log.warn({ code, results: records.length }, `results could not be stored: ${message}`);
      runner.send({ kind: "stored", batch, failure: { code, message } });
    }
  }

  #report(report: RunnerReport): void {
    if (report.kind === "shadow") this.#shadows.get(report.shadow)?.(report.models);
    else this.#ports.onReport?.(report);
  }

  /** One change of what is served after the other. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }
}

const groupStatus = (group: ServedGroup): GroupStatus => ({
  id: group.id,
  state: group.state,
  reason: group.reason,
  pid: group.runner?.pid ?? null,
  rssBytes: group.rssBytes,
  crashes: group.crashes,
  step: group.step ?? null,
  socket: group.listening?.groupPath ?? null,
  models: group.models.map(({ name, version, variant, provider }) => ({ name, version, variant, provider })),
});
