import { asMusterError, MusterError } from "@muster/shared/errors";
import { CONFIDENCE_EDGES, type InferenceCounters, LATENCY_EDGES_MS } from "@muster/shared/protocol/messages";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { Deployment } from "./deployment.ts";
import { Endpoint } from "./endpoint.ts";
import { addTally, emptyTally, quantile, type TallyEdges } from "./latency.ts";
import { type Launched, launch } from "./launch.ts";
import type { InferencePorts, InferenceStatus, Observed } from "./ports.ts";
import type { Report, RunnerProcess } from "./runner-process.ts";
import { type ServeContext, ServedRelease } from "./served-release.ts";
import { ServingCounters } from "./serving.ts";
import { DEFAULT_INFERENCE_SETTINGS, type InferenceSettings } from "./settings.ts";

const EDGES: TallyEdges = { latency: LATENCY_EDGES_MS, confidence: CONFIDENCE_EDGES };

const digestOf = (release: ServedRelease): string => release.deployment.release.digest;

/** A release that a candidate runner has loaded and proven and that is not served yet. */
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
  readonly #context: ServeContext;
  readonly #candidates = new Map<Prepared, Launched>();
  readonly #stopping = new AbortController();
  /** What has to end before this process may: launches and leaving runners. */
  readonly #unfinished = new Set<Promise<unknown>>();
  #served: ServedRelease | undefined;
  #observed = emptyTally(EDGES);
  readonly #counters = new ServingCounters(EDGES, () => performance.now());
  #restarts = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws MusterError `settings.invalid` */
  constructor(ports: InferencePorts) {
    this.#ports = ports;
    this.#settings = { ...DEFAULT_INFERENCE_SETTINGS, ...ports.settings };
    this.#context = {
      version: ports.version,
      log: ports.log,
      onEvent: ports.onEvent,
      settings: this.#settings,
      endpoint: new Endpoint(this.#settings),
      onReport: (release, runner, report) => this.#take(release, runner, report),
      edges: EDGES,
      onChange: () => {
        this.#countServing();
        ports.onChange?.();
      },
      onCrash: (release) => {
        this.#restarts += 1;
        this.#counters.crashed(digestOf(release));
      },
    };
  }

  /**
   * Loads a release in a candidate runner beside what is served, checks digests and runs the golden sets.
   * @throws MusterError `model.load-failed`, `model.golden-mismatch`, `artifact.corrupted`, `runner.crashed`,
   *   `runner.hung`; nothing is left behind then
   */
  async prepare(deployment: Deployment): Promise<Prepared> {
    const launched = await this.#track(launch(this.#context, deployment, this.#stopping.signal));
    const prepared = { deployment, components: launched.components };
    this.#candidates.set(prepared, launched);
    return prepared;
  }

  /**
   * The candidate takes over the endpoint; the old runner ends its connections and goes, which may take longer.
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
      await next.begin();
      const old = this.#served;
      this.#served = next;
      this.#observed = emptyTally(EDGES);
      if (old) void this.#leave(old, "keep", this.#settings.drainSeconds);
      this.#context.onChange();
    });
  }

  /** Ends a candidate that is not wanted; one that was served or discarded before is left as it is. */
  async discard(prepared: object): Promise<void> {
    const launched = this.#candidates.get(prepared as Prepared);
    this.#candidates.delete(prepared as Prepared);
    launched?.runner.end();
    await launched?.runner.exited;
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
  }

  status(): InferenceStatus {
    const served = this.#served;
    const listening = served?.listening;
    const port = listening?.port ?? null;
    return {
      state: served?.state ?? "idle",
      release: served?.deployment.release ?? null,
      components: served?.state === "ready" ? served.components : [],
      restarts: this.#restarts,
      pid: served?.pid ?? null,
      rssBytes: served?.rssBytes ?? 0,
      endpoint: {
        url: port === null ? null : this.#context.endpoint.url(port),
        socket: listening?.socketPath ?? null,
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
    this.#counters.serves(served?.state === "ready" ? digestOf(served) : undefined);
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
    return this.#track(old.retire(idleConnections, seconds));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#unfinished.delete(tracked));
    this.#unfinished.add(tracked);
    return tracked;
  }

  #take(release: ServedRelease, runner: RunnerProcess, report: Report): void {
    if (report.kind !== "results") return;
    const { batch, tally, dropped, records } = report;
    this.#counters.count(digestOf(release), tally);
    if (release === this.#served) this.#observed = addTally(this.#observed, tally);
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

  /** One change of what is served after the other. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }
}
