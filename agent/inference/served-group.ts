import { asMusterError, type ErrorCode, type MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { DegradedStep, RunningComponent } from "@muster/shared/protocol/state";
import type { ModelDeployment } from "./deployment.ts";
import { Doors, isReachable } from "./doors.ts";
import { drain } from "./drain.ts";
import type { GroupContext, LaunchedGroup, Listening } from "./group-context.ts";
import { Footing } from "./ladder/footing.ts";
import { type Launched, launch } from "./launch.ts";
import { RecyclePace } from "./recycle-pace.ts";
import { RestartPace } from "./restart-pace.ts";
import type { RunnerProcess } from "./runner-process.ts";
import { watchRunner } from "./watch-runner.ts";

const RETUNED = "how it may use the processor changed while it was being started";

/**
 * Keeps the models of one group served by one runner at a time: watches it, starts it again when it crashes or hangs,
 * replaces it when it grows, and has its ladder say what with.
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
  readonly #context: GroupContext;
  readonly #footing: Footing;
  readonly #doors: Doors;
  readonly #memoryLimit: number;
  #launched: Launched | undefined;
  /** Runners that end their last connections. */
  readonly #leaving = new Set<RunnerProcess>();
  /** Starts a runner in place of one that is gone, or beside one that serves. */
  #work: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #restarts: RestartPace;
  readonly #pace: RecyclePace;
  readonly #retired = new AbortController();

  /** @param memoryLimit of its runner, bytes */
  constructor(context: GroupContext, release: ReleaseRef, launchedGroup: LaunchedGroup, memoryLimit: number) {
    const { group, launched, fallen } = launchedGroup;
    const { settings, log } = context;
    this.#context = context;
    this.release = release;
    this.id = group.id;
    const event = (code: ErrorCode, message: string) => this.#event(code, message);
    this.#doors = new Doors({
      context,
      group: this,
      isServing: (other) => this.#launched === other && !this.#retired.signal.aborted,
      event,
      listens: (answer) => this.#listens(answer),
    });
    this.#footing = new Footing(
      { group: group.id, settings, log, event, retry: (how) => this.#retry(how) },
      launchedGroup,
    );
    this.#memoryLimit = memoryLimit;
    this.#restarts = new RestartPace(settings);
    this.#pace = new RecyclePace(settings.recycleMinSeconds * 1000);
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

  /** What the runner of now listens on. */
  get listening(): Listening | undefined {
    return this.#doors.listening;
  }

  /** As the release has it. */
  get first(): readonly ModelDeployment[] {
    return this.#footing.standpoint.first;
  }

  /** What it is served with is not the first choice. */
  get step(): DegradedStep | undefined {
    return this.#footing.step;
  }

  /**
   * The runner that was prepared opens the door for its siblings.
   * @throws MusterError `runner.crashed` or `runner.hung` when it does not; `abandon` it then
   */
  async prepareToServe(): Promise<void> {
    if (this.#launched) await this.#doors.openForSiblings(this.#launched);
  }

  /** It begins to listen for everybody. @throws MusterError like `prepareToServe` */
  async begin(): Promise<void> {
    if (this.#launched) await this.#take(this.#launched);
    else this.#become("failed", this.reason);
    this.#footing.begin();
    if (this.#launched && this.#launched.session !== this.#context.session()) this.recycle(RETUNED);
  }

  /** Lets the runner end its connections and go, and starts none again. Resolves when it is gone. */
  async retire(idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#retired.abort();
    clearTimeout(this.#timer);
    this.#footing.close();
    this.#doors.rest();
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
      if (this.#retired.signal.aborted) return;
      const { message } = asMusterError(error);
      this.#event("runner.recycled", `The runner of group ${this.id} could not be replaced: ${message}`);
    }
  }

  #retry(how: "beside" | "anew"): boolean {
    if (this.#work || this.#retired.signal.aborted) return false;
    this.#begin(() => (how === "beside" ? this.#tryFirst() : this.#walkAnew()));
    return true;
  }

  /** Tries the first choice again beside what is served. */
  async #tryFirst(): Promise<void> {
    const old = this.runner;
    try {
      if (!(await this.#replace(this.first, () => this.runner === old))) return this.#footing.again();
      this.#footing.restored();
      this.#mark();
      this.#footing.landed();
      this.#context.onChange();
    } catch (error) {
      if (!this.#retired.signal.aborted) this.#footing.notRestored(error);
    }
  }

  /** Nothing was left: what failed may have mended itself, whichever choice that is. */
  async #walkAnew(): Promise<void> {
    this.#footing.restored();
    this.models = this.first;
    this.#restarts.reset();
    await this.#restart();
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
      const listening = await this.#doors.open(fresh, "all");
      if (runner.ended) throw runner.ended;
      begun = true;
      this.#launched = fresh;
      this.models = fresh.models;
      this.damaged = false;
      this.rssBytes = 0;
      this.#mark();
      this.#doors.take(fresh, listening);
    } catch (error) {
      runner.end();
      await runner.exited;
      throw error;
    }
  }

  #listens({ failure, ...doors }: Listening): void {
    const reachable = isReachable(doors);
    if (reachable) this.#restarts.ready(performance.now());
    this.#become(reachable ? "ready" : "failed", reachable ? "" : (failure?.message ?? ""));
  }

  #watch({ runner }: Launched, begun: () => boolean): void {
    const { settings, log } = this.#context;
    runner.onReport((report) => this.#context.onReport(this, runner, report));
    watchRunner(runner, {
      rules: settings,
      memoryLimit: this.#memoryLimit,
      group: this.id,
      log,
      onBeat: (rssBytes, why) => {
        if (this.runner !== runner) return;
        this.rssBytes = rssBytes;
        if (why !== undefined) this.#recycleForMemory(why);
      },
      onEnd: (failure) => {
        if (begun() && this.runner === runner) this.#crashed(failure);
      },
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
    this.#restarts.lost(performance.now());
    this.#launched = undefined;
    this.#doors.close();
    this.rssBytes = 0;
    this.components = [];
    this.#descend(failure);
    this.#become(this.#footing.models ? "starting" : "failed", failure.message);
    this.#restartLater();
  }

  /** Counts a failure against the budget; what is left to serve may be another choice then. */
  #descend(failure: MusterError): void {
    if (!this.#footing.failed(failure)) return;
    this.#restarts.reset();
    this.models = this.#footing.models ?? this.models;
  }

  #restartLater(): void {
    clearTimeout(this.#timer);
    if (!this.#footing.models) return;
    const restart = async () => {
      await this.#work;
      if (!this.#retired.signal.aborted && !this.runner) this.#begin(() => this.#restart());
    };
    this.#timer = setTimeout(() => void restart(), this.#restarts.next());
  }

  async #restart(): Promise<void> {
    try {
      if (await this.#replace(this.models, () => this.runner === undefined)) this.#footing.landed();
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
    if (!this.#footing.isWalking) this.#event(failure.code, failure.message);
    this.damaged = failure.code === "artifact.corrupted";
    if (!this.damaged) this.#descend(failure);
    this.#become("failed", failure.message);
    this.#restartLater();
  }

  #mark(): void {
    this.components = this.#footing.standpoint.mark(this.#launched?.components ?? [], this.models);
  }

  #leave(runner: RunnerProcess, idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#leaving.add(runner);
    this.#context.endpoint.leave(runner);
    void runner.exited.then(() => this.#leaving.delete(runner));
    return drain(runner, idleConnections, seconds, this.#context.log);
  }

  #begin(work: () => Promise<void>): void {
    const session = this.#context.session();
    const running = work().finally(() => {
      if (this.#work === running) this.#work = undefined;
      // What was asked for meanwhile came too late for the runner that was being started.
      if (this.#context.session() !== session) this.recycle(RETUNED);
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
