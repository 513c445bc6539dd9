import { setTimeout as sleep } from "node:timers/promises";
import type { ErrorCode } from "@muster/shared/errors";
import { FEEDER_DEFAULTS, type Source } from "./config.ts";
import type { SourceStatus } from "./control.ts";
import type { Item, Result } from "./item.ts";
import { type NextStep, nextStep, type Reply } from "./next-step.ts";
import { Pace } from "./pace.ts";
import type { RunnerClient } from "./runner-client.ts";

/** How an item ended. */
export type Outcome = "answered" | "rejected" | "expired";

/** Where the items of one source come from. */
export interface Feed {
  /** Its items are worth something at any time, and are to be stored before they count as done. */
  readonly isPatient: boolean;
  /** Waits for the next item; undefined when it was closed. */
  take(): Promise<Item | undefined>;
  /** Told once for each item taken, when it is settled. */
  settle(item: Item, outcome: Outcome): Promise<void>;
  readonly waiting: number;
  /** Begins to bring items. */
  start(): void;
  /** Ends it; `take` gives undefined from now on. */
  close(): Promise<void>;
}

export interface PumpPorts {
  readonly client: RunnerClient;
  readonly status: SourceStatus;
  readonly deliver: (result: Result) => void;
  readonly event: (code: ErrorCode, message: string) => void;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** Brings the items of one source to the runner, one after the other, at its pace. */
export class Pump {
  readonly #source: Source;
  readonly #feed: Feed;
  readonly #ports: PumpPorts;
  readonly #pace: Pace;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(source: Source, feed: Feed, ports: PumpPorts) {
    this.#source = source;
    this.#feed = feed;
    this.#ports = ports;
    this.#pace = new Pace(source.maxPerSecond);
  }

  start(): void {
    this.#feed.start();
    this.#running = this.#run();
  }

  /** Ends after the request under way; what waits in a folder is taken up again at the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#feed.close();
    await this.#running;
    this.#ports.client.close();
  }

  get waiting(): number {
    return this.#feed.waiting;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const item = await this.#feed.take();
      if (!item || !(await this.#wait(this.#pace.turn(this.#ports.monotonic())))) return;
      const outcome = await this.#bring(item);
      if (outcome === undefined) return;
      this.#ports.status[outcome] += 1;
      await this.#feed.settle(item, outcome);
    }
  }

  /** @returns undefined when it was stopped before the item was settled */
  async #bring(item: Item): Promise<Outcome | undefined> {
    const { model, version, tier = "standard", timeoutMs = FEEDER_DEFAULTS.timeoutMs } = this.#source;
    const { isPatient } = this.#feed;
    const { client, status, monotonic } = this.#ports;
    let counted = 0;
    for (;;) {
      const left = isPatient ? timeoutMs : item.receivedAt + timeoutMs - monotonic();
      if (left <= 0) return "expired";
      const target = { model, version, tier, durable: isPatient };
      const { reply, json } = await client.post(item, target, left);
      const step = patientStep(nextStep(reply, counted), isPatient, counted);
      if (step.take !== "again") {
        if (step.take === "answered" || step.take === "rejected") this.#tell(item, step.take, reply, json);
        return step.take;
      }
      if (step.counted) counted += 1;
      else status.deferred += 1;
      const waitMs = isPatient
        ? step.afterMs
        : Math.min(step.afterMs, item.receivedAt + timeoutMs - monotonic());
      if (!(await this.#wait(waitMs))) return undefined;
    }
  }

  #tell(item: Item, outcome: "answered" | "rejected", reply: Reply, json: unknown): void {
    const { deliver, event, now, status } = this.#ports;
    const { model, name } = this.#source;
    const base = { source: name, id: item.id, origin: item.origin, at: now(), model };
    if (outcome === "answered") {
      deliver({ ...base, ok: true, response: json as NonNullable<Result["response"]> });
      return;
    }
    const failure = failureOf(reply, json);
    const message = `Source ${name}: ${item.origin} was refused (${failure.code}): ${failure.message}`;
    status.lastError = { code: "source.rejected", message, at: now() };
    event("source.rejected", message);
    deliver({ ...base, ok: false, failure });
  }

  /** @returns false when it was stopped meanwhile */
  async #wait(ms: number): Promise<boolean> {
    const { signal } = this.#stop;
    if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
    return !signal.aborted;
  }
}

const EXPIRED_AGAIN_MS = 500;
const MAX_EXPIRED = 3;

/** A file does not grow old: a deadline that was missed is tried again a few times. */
function patientStep(step: NextStep, isPatient: boolean, counted: number): NextStep {
  if (step.take !== "expired" || !isPatient) return step;
  return counted + 1 < MAX_EXPIRED
    ? { take: "again", afterMs: EXPIRED_AGAIN_MS, counted: true }
    : { take: "rejected" };
}

function failureOf(reply: Reply, json: unknown): { code: string; message: string } {
  if (reply.status === null)
    return { code: "runner.crashed", message: `The runner did not answer (${reply.reason}).` };
  const message = (json as { error?: unknown } | undefined)?.error;
  return {
    code: reply.code ?? "internal.unexpected",
    message: typeof message === "string" ? message.slice(0, 600) : `The runner answered ${reply.status}.`,
  };
}
