import { asMusterError, type ErrorCode, type MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { DegradedStep, RunningComponent } from "@muster/shared/protocol/state";
import { restartDelay } from "./backoff.ts";
import type { ModelDeployment } from "./deployment.ts";
import { drain } from "./drain.ts";
import type { GroupContext, LaunchedGroup, Listening } from "./group-context.ts";
import { descentRules, Standpoint } from "./ladder/standpoint.ts";
import { type Launched, launch } from "./launch.ts";
import { MemoryWatch } from "./memory.ts";
import { feelPulse } from "./pulse.ts";
import { RecyclePace } from "./recycle-pace.ts";
import type { RunnerProcess } from "./runner-process.ts";

/**
 * Keeps the models of one group served by one runner at a time: listens, watches it, starts it again when it crashes
 * or hangs, replaces it when it grows, and goes down its ladder when nothing of that helps.
 */
export class ServedGroup {
  readonly id: string;
  readonly release: ReleaseRef;
  state: "starting" | "ready" | "failed" = "starting";
  /** Why it is not ready; empty when it is. */
  reason = "it is being started";
  /** What stands in the way can be mended by nobody but the update engine. */
  damaged = false;
  components: RunningComponent[] = [];
  /** What the runner of now has, or what is being started. */
  models: readonly ModelDeployment[];
  crashes = 0;
  rssBytes = 0;
  listening: Listening | undefined;
  readonly #context: GroupContext;
  readonly #standpoint: Standpoint;
  readonly #memoryLimit: number;
  #launched: Launched | undefined;
  /** Runners that end their last connections. */
  readonly #leaving = new Set<RunnerProcess>();
  /** Starts a runner in place of one that is gone, or beside one that serves. */
  #work: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #readySince: number | undefined;
  readonly #pace: RecyclePace;
  readonly #retired = new AbortController();

  /** @param memoryLimit of its runner, bytes */
  constructor(
    context: GroupContext,
    release: ReleaseRef,
    { group, choices, launched, fallen }: LaunchedGroup,
    memoryLimit: number,
  ) {
    this.#context = context;
    this.release = release;
    this.id = group.id;
    this.#standpoint = new Standpoint(choices, descentRules(context.settings), fallen);
    this.#memoryLimit = memoryLimit;
    this.#pace = new RecyclePace(context.settings.recycleMinSeconds * 1000);
    this.models = launched?.models ?? group.models;
    this.#launched = launched;
    if (fallen) this.reason = fallen.reason;
  }

  /** The runner of now, if there is one. */
  get runner(): RunnerProcess | undefined {
    return this.#launched?.runner;
  }

  /** All of its processes: that of now, and those that are leaving. */
  get runners(): RunnerProcess[] {
    return [...(this.runner ? [this.runner] : []), ...this.#leaving];
  }

  /** How siblings call the runner of now. */
  get runnerName(): string | undefined {
    return this.#launched?.name;
  }

  /** As the release has it. */
  get first(): readonly ModelDeployment[] {
    return this.#standpoint.first;
  }

  /** What it is served with is not the first choice. */
  get step(): DegradedStep | undefined {
    return this.#standpoint.choice?.step;
  }

  /**
   * The runner that was prepared opens the door for its siblings.
   * @throws MusterError `runner.crashed` or `runner.hung` when it does not; `abandon` it then
   */
  async prepareToServe(): Promise<void> {
    if (this.#launched) this.listening = await this.#open(this.#launched, "sibling");
  }

  /** It begins to listen for everybody. @throws MusterError like `prepareToServe` */
  async begin(): Promise<void> {
    if (this.#launched) await this.#take(this.#launched);
    else this.#become("failed", this.reason);
    if (this.#standpoint.retryAt !== undefined) this.#tellStep();
  }

  /** Lets the runner end its connections and go, and starts none again. Resolves when it is gone. */
  async retire(idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#retired.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    await this.#work;
    if (this.runner) await this.#leave(this.runner, idleConnections, seconds);
  }

  /**
   * A fresh runner takes the place of the one that serves; no request fails. Nothing happens while there is none, or
   * while a fresh one is being started anyway.
   */
  recycle(why: string): void {
    if (this.state !== "ready" || this.#work || this.#retired.signal.aborted) return;
    this.#begin(() => this.#recycle(why));
  }

  async #recycle(why: string): Promise<void> {
    const old = this.runner!;
    try {
      if (await this.#replace(this.models, () => this.runner === old && !old.ended))
        this.#event("runner.recycled", `The runner of group ${this.id} was replaced: ${why}.`);
    } catch (error) {
      const { message } = asMusterError(error);
      this.#event("runner.recycled", `The runner of group ${this.id} could not be replaced: ${message}`);
    }
  }

  /** Tries the first choice again beside what is served. */
  async #tryFirst(): Promise<void> {
    const old = this.runner;
    try {
      if (!(await this.#replace(this.first, () => this.runner === old))) return this.#planRetry();
      this.#standpoint.restored(performance.now());
      this.#mark();
      this.#event(
        "runner.restored",
        `Group ${this.id} runs its first choice again, after: ${this.#standpoint.reason}`,
      );
      this.#context.onChange();
    } catch (error) {
      if (this.#retired.signal.aborted) return;
      this.#standpoint.notRestored(performance.now());
      this.#context.log.warn(
        { group: this.id, code: asMusterError(error).code },
        `first choice fails still: ${asMusterError(error).message}`,
      );
    }
    this.#planRetry();
  }

  /** Starts a runner with these models; when it listens, the one before goes. @returns false when it is not wanted any more */
  async #replace(models: readonly ModelDeployment[], wanted: () => boolean): Promise<boolean> {
    const { release, id } = this;
    const fresh = await launch(this.#context, { release, id, models }, this.#retired.signal);
    const old = this.#launched;
    if (!wanted() || this.#retired.signal.aborted) {
      fresh.runner.end();
      await fresh.runner.exited;
      return false;
    }
    if (old && !old.runner.ended) this.#leaving.add(old.runner);
    try {
      await this.#take(fresh);
    } catch (error) {
      if (old) this.#leaving.delete(old.runner);
      throw error;
    }
    if (old) this.#context.track(this.#leave(old.runner, "keep", this.#context.settings.drainSeconds));
    return true;
  }

  /** From now on this is the runner that serves. @throws MusterError when it does not begin; it is ended then */
  async #take(fresh: Launched): Promise<void> {
    const { runner } = fresh;
    let begun = false;
    this.#watch(fresh, () => begun);
    try {
      const listening = await this.#open(fresh, "all");
      if (runner.ended) throw runner.ended;
      begun = true;
      this.#launched = fresh;
      this.models = fresh.models;
      this.damaged = false;
      this.rssBytes = 0;
      this.#mark();
      this.#listens(fresh, listening);
    } catch (error) {
      runner.end();
      await runner.exited;
      throw error;
    }
  }

  async #open(fresh: Launched, doors: "sibling" | "all"): Promise<Listening> {
    const { endpoint, settings } = this.#context;
    this.#context.onFresh(this, fresh);
    return endpoint.open(fresh.runner, this.id, doors, (address) =>
      fresh.runner.ask({ kind: "listen", address }, "listening", settings.startSeconds),
    );
  }

  #listens(launched: Launched, answer: Listening): void {
    const { failure, port, socketPath } = answer;
    const known = this.listening?.failure;
    this.listening = answer;
    if (failure && !this.#retired.signal.aborted) {
      if (failure.message !== known?.message) this.#event(failure.code, failure.message);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => void this.#listenAgain(launched),
        this.#context.settings.listenRetrySeconds * 1000,
      );
    }
    const reachable = port !== null || socketPath !== null;
    if (reachable) this.#readySince ??= performance.now();
    this.#become(reachable ? "ready" : "failed", reachable ? "" : (failure?.message ?? ""));
  }

  async #listenAgain(launched: Launched): Promise<void> {
    if (this.#retired.signal.aborted || this.#launched !== launched || launched.runner.ended) return;
    // A runner that dies meanwhile is dealt with where its end is awaited.
    await this.#open(launched, "all").then(
      (answer) => this.#listens(launched, answer),
      () => {},
    );
  }

  #watch({ runner }: Launched, begun: () => boolean): void {
    const { settings, log } = this.#context;
    const memory = new MemoryWatch(this.#memoryLimit);
    runner.onReport((report) => this.#context.onReport(this, runner, report));
    feelPulse(runner, settings, (rssBytes) => {
      if (this.runner !== runner) return;
      this.rssBytes = rssBytes;
      const why = memory.judge(rssBytes, performance.now());
      if (why !== undefined) this.#recycleForMemory(why);
    });
    void runner.exited.then((failure) => {
      if (!failure) return;
      log.error({ runner: runner.pid, group: this.id, code: failure.code }, failure.message);
      if (begun() && this.runner === runner) this.#crashed(failure);
    });
  }

  #recycleForMemory(why: string): void {
    if (this.state !== "ready" || this.#work || !this.#pace.allows(performance.now())) return;
    this.#pace.taken(performance.now());
    this.recycle(why);
  }

  #crashed(failure: MusterError): void {
    if (this.#retired.signal.aborted) return;
    this.crashes += 1;
    this.#context.onCrash(this);
    this.#event(failure.code, failure.message);
    const stableMs = this.#context.settings.stableSeconds * 1000;
    if (this.#readySince !== undefined && performance.now() - this.#readySince >= stableMs)
      this.#attempts = 0;
    this.#readySince = undefined;
    this.#launched = undefined;
    this.listening = undefined;
    this.rssBytes = 0;
    this.components = [];
    this.#descend(failure);
    if (!this.#standpoint.choice) this.#become("failed", failure.message);
    else this.#become("starting", failure.message);
    this.#restartLater();
  }

  /** Counts a failure against the budget; what is left to serve may be another choice then. */
  #descend(failure: MusterError): void {
    if (this.#standpoint.failed(failure, performance.now()) === undefined) return;
    this.#attempts = 0;
    this.models = this.#standpoint.choice?.models ?? this.models;
    this.#tellStep();
  }

  #tellStep(): void {
    const { choice, reason, stepCode } = this.#standpoint;
    const what = choice ? `runs ${choice.models.map(describe).join(", ")} now` : "is not served";
    this.#event(stepCode, `Group ${this.id} ${what}: ${reason}`);
    this.#planRetry();
  }

  #planRetry(): void {
    clearTimeout(this.#retryTimer);
    const at = this.#standpoint.retryAt;
    if (at === undefined || this.#retired.signal.aborted) return;
    const retry = () => {
      if (this.#work || this.#retired.signal.aborted) this.#retryTimer = setTimeout(retry, 1000);
      else this.#begin(() => this.#tryFirst());
    };
    this.#retryTimer = setTimeout(retry, Math.max(0, at - performance.now()));
  }

  #restartLater(): void {
    clearTimeout(this.#timer);
    if (!this.#standpoint.choice) return;
    const { restartMinSeconds, restartMaxSeconds } = this.#context.settings;
    const seconds = restartDelay(this.#attempts, restartMinSeconds, restartMaxSeconds);
    this.#attempts += 1;
    const restart = async () => {
      await this.#work;
      if (!this.#retired.signal.aborted && !this.runner) this.#begin(() => this.#restart());
    };
    this.#timer = setTimeout(() => void restart(), seconds * 1000);
  }

  async #restart(): Promise<void> {
    try {
      await this.#replace(this.models, () => this.runner === undefined);
    } catch (error) {
      this.#notRestarted(asMusterError(error));
    }
  }

  /** A model that cannot be loaded is another matter than a runner that crashes: both are tried again. */
  #notRestarted(failure: MusterError): void {
    if (this.#retired.signal.aborted) return;
    if (failure.code === "runner.crashed" || failure.code === "runner.hung") {
      this.#crashed(failure);
      return;
    }
    this.#event(failure.code, failure.message);
    this.damaged = failure.code === "artifact.corrupted";
    if (!this.damaged) this.#descend(failure);
    this.#become("failed", failure.message);
    this.#restartLater();
  }

  #mark(): void {
    this.components = this.#standpoint.mark(this.#launched?.components ?? [], this.models);
  }

  #leave(runner: RunnerProcess, idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#leaving.add(runner);
    void runner.exited.then(() => this.#leaving.delete(runner));
    return drain(runner, idleConnections, seconds, this.#context.log);
  }

  #begin(work: () => Promise<void>): void {
    const running = work().finally(() => {
      if (this.#work === running) this.#work = undefined;
    });
    this.#work = running;
  }

  #become(state: ServedGroup["state"], reason: string): void {
    this.state = state;
    this.reason = reason;
    this.#context.onChange();
  }

  #event(code: ErrorCode, message: string): void {
    this.#context.onEvent({ code, message: message.slice(0, 1000) });
  }
}

const describe = ({ name, version, variant, provider, standIn }: ModelDeployment): string =>
  standIn ? `${name} as its cascade answers` : `${name} ${version} (${variant} on ${provider})`;
