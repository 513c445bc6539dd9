import { asMusterError, type MusterError } from "@muster/shared/errors";
import { fullJitter } from "../backoff.ts";
import { type EffectContext, type Outcome, perform } from "./effects.ts";
import { neededReleases, tidy } from "./housekeeping.ts";
import { type Effect, effectOf } from "./machine.ts";
import { backoffOf } from "./settings.ts";

export interface LoopContext extends EffectContext {
  random: () => number;
  /** Tells the control plane about something that is no step of an update. */
  tell: (failure: { code: string; message: string }) => void;
}

/** Effects that may take long and leave the active release in place: it has to serve meanwhile. */
const BESIDE_ACTIVE: ReadonlySet<Effect> = new Set<Effect>(["keep", "resolve", "fetch", "stage"]);

/** Does one thing at a time: what the journal asks for, again and again, until it is stopped. */
export class EffectLoop {
  readonly #context: LoopContext;
  #current = new AbortController();
  /** Ends the rest between two looks at the active release, and nothing that is being done. */
  #nap = new AbortController();
  /** Ends the wait after a failed try. */
  #patience = new AbortController();
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  /** Failed tries in a row of the present phase, and of serving the active release. */
  #failures = 0;
  #activeFailures = 0;
  #activeRetryAt = 0;
  #toldActive = "";
  #untidy = true;

  constructor(context: LoopContext) {
    this.#context = context;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** The journal moved on: what is being done or waited for is over. */
  interrupt(): void {
    this.#failures = 0;
    this.#current.abort();
  }

  /** Looks at the active release now: something about it has changed. */
  wake(): void {
    this.#nap.abort();
  }

  /** Tries again now what waits after a failure: its reason may be gone. The next waits are as long as before. */
  retryNow(): void {
    this.#activeRetryAt = Number.NEGATIVE_INFINITY;
    this.#patience.abort();
    this.#nap.abort();
  }

  /** Ends what is being done; the journal says where to go on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#current.abort();
    await this.#running;
    await this.#context.activation.discardAllBut(undefined).catch(() => undefined);
  }

  /** Bytes arrived: the next wait begins small again. */
  progressed(): void {
    this.#failures = 0;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#current = new AbortController();
      const { signal } = this.#current;
      try {
        await this.#step(signal);
      } catch (error) {
        this.#log("update.step-failed", asMusterError(error));
        await this.#wait(++this.#failures, signal);
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { journal, activation, clock, settings } = this.#context;
    const effect = effectOf(journal.state);
    this.#nap = new AbortController();
    if (this.#untidy) await this.#tidy();
    if (effect !== "admit" && effect !== "activate")
      await activation.discardAllBut(journal.state.attempt?.order.release?.digest);
    if (BESIDE_ACTIVE.has(effect)) await this.#serveActive(signal);
    if (effect === "keep") {
      const retryMs = this.#activeRetryAt - clock.monotonic();
      const rest = this.#activeFailures > 0 ? Math.max(retryMs, 0) : settings.watchMs;
      await clock.sleep(rest, AbortSignal.any([signal, this.#nap.signal]));
      return;
    }
    const outcome = await perform(this.#context, signal);
    // An order may come between the end of an effect and here: what was done was for the one before.
    if (outcome && !signal.aborted) await this.#take(outcome, signal);
  }

  /** Stores the outcome; going back does not wait for a disk that is full. */
  async #take({ event, also }: Outcome, signal: AbortSignal): Promise<void> {
    const { journal } = this.#context;
    const before = journal.state.attempt;
    try {
      journal.apply(event, also);
    } catch (error) {
      const goesBack = before?.phase === "activating" || before?.phase === "probation";
      if (event.type !== "failed" || !goesBack) throw error;
      this.#log("update.unstored", asMusterError(error));
      journal.applyUnstored(event);
    }
    const after = journal.state.attempt;
    const isStill = after?.order.generation === before?.order.generation && after?.phase === before?.phase;
    if (!after) this.#untidy = true;
    if (event.type === "failed") this.#logFailure(event.failure, before?.phase);
    if (event.type === "failed" && isStill) await this.#wait(++this.#failures, signal);
    else this.#failures = 0;
  }

  /** Has the active release serve, also beside an update; says once when it cannot. */
  async #serveActive(signal: AbortSignal): Promise<void> {
    const { activation, clock, journal, random, settings } = this.#context;
    const { active } = journal.state;
    if (activation.isUnderWay(active) || clock.monotonic() < this.#activeRetryAt) return;
    try {
      await activation.run(active, signal, true);
      this.#activeFailures = 0;
      this.#toldActive = "";
    } catch (error) {
      const failure = asMusterError(error);
      this.#activeFailures += 1;
      this.#activeRetryAt =
        clock.monotonic() + fullJitter(backoffOf(settings), this.#activeFailures, random());
      this.#log("update.active-failed", failure);
      if (this.#toldActive !== failure.code) {
        const message = `The active release does not start: ${failure.message}`.slice(0, 1000);
        this.#context.tell({ code: failure.code, message });
      }
      this.#toldActive = failure.code;
    }
  }

  /** Waste is no reason to stand still: what could not be removed is tried again after the next update. */
  async #tidy(): Promise<void> {
    this.#untidy = false;
    try {
      await tidy(this.#context, neededReleases(this.#context.journal.state, true));
    } catch (error) {
      this.#log("update.untidy", asMusterError(error));
    }
  }

  async #wait(failures: number, signal: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#context;
    this.#patience = new AbortController();
    await clock.sleep(
      fullJitter(backoffOf(settings), failures, random()),
      AbortSignal.any([signal, this.#patience.signal]),
    );
  }

  #log(event: string, error: MusterError): void {
    this.#context.log.warn({ event, code: error.code, err: error }, error.message);
  }

  #logFailure(failure: { code: string; message: string }, phase: string | undefined): void {
    this.#context.log.warn({ event: "update.failed", code: failure.code, phase }, failure.message);
  }
}
