import { asMusterError, MusterError } from "@muster/shared/errors";
import { type Failure, PROTOCOL_VERSION, type ReleaseRef } from "@muster/shared/protocol/primitives";
import {
  MOST_SHADOW_MODELS,
  type ShadowModel,
  type ShadowReport,
  type ShadowVerdict,
  signShadowReport,
} from "@muster/shared/protocol/shadow-report";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import { psi, psiThreshold } from "@muster/shared/stats/psi";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { ShadowOrder, ShadowRun } from "../inference/shadow.ts";
import { judgeShadow, type Looks } from "./judge.ts";
import type { ShadowSettings } from "./settings.ts";
import type { ShadowTally } from "./tally.ts";

export interface ShadowPorts {
  /** Device id, which the report names. */
  device: string;
  /** Signs reports; comes when the keys of the device are open. */
  key: () => Promise<SigningKey>;
  clock: {
    now(): number;
    monotonic(): number;
    sleep(ms: number, signal: AbortSignal): Promise<void>;
  };
  /** Memory that a process could take now, bytes. */
  availableBytes: () => number;
  settings: ShadowSettings;
  log: { info(fields: object, message: string): void };
}

/** One shadow: which candidate runs beside what, by which directive. */
export interface ShadowTask {
  generation: number;
  rollout: string | null;
  live: ReleaseRef;
  candidate: ReleaseRef;
  rule: ShadowRule;
  /** Begins to sample; see `Inference.shadow`. */
  start: (order: ShadowOrder) => Promise<ShadowRun>;
}

export interface ShadowEnd {
  /** Why the candidate may not serve; null where it may. */
  failure: Failure | null;
  report: ShadowReport;
}

interface Found {
  verdict: ShadowVerdict;
  reason: string;
  failure: Failure | null;
}

/** Chance of the drift that is called chance. */
const ALPHA = 0.01;

/** Runs a candidate beside what is live until its rule is decided, and puts what it found into a signed report. */
export class Shadowing {
  readonly #ports: ShadowPorts;

  constructor(ports: ShadowPorts) {
    this.#ports = ports;
  }

  /** @returns undefined when the signal fired: nothing was decided then */
  async run(task: ShadowTask, signal: AbortSignal): Promise<ShadowEnd | undefined> {
    const { clock, device, settings, log } = this.#ports;
    const key = await unlessEnded(this.#ports.key(), signal);
    if (!key) return undefined;
    const from = clock.now();
    let tallies: ShadowTally[] = [];
    let found: Found | undefined = this.#short();
    if (!found) {
      const { rule } = task;
      let run: ShadowRun | undefined;
      try {
        run = await task.start({ rule, mostBytes: settings.mostBytes, directory: settings.directory });
        found = await this.#watch(run, rule, signal);
      } catch (error) {
        found = failed(asMusterError(error));
      } finally {
        await run?.stop();
      }
      tallies = run?.tallies() ?? [];
    }
    if (!found || signal.aborted) return undefined;
    const { verdict, reason, failure } = found;
    const models = tallies.slice(0, MOST_SHADOW_MODELS).map(modelOf);
    const { generation, rollout, live, candidate, rule } = task;
    const report = signShadowReport(
      {
        v: PROTOCOL_VERSION,
        device,
        generation,
        rollout,
        live,
        candidate,
        rule,
        from,
        to: Math.max(from, clock.now()),
        verdict,
        reason,
        models,
      },
      key,
    );
    log.info({ event: "shadow.ended", verdict, candidate: `${candidate.name} ${candidate.version}` }, reason);
    return { failure, report };
  }

  async #watch(run: ShadowRun, rule: ShadowRule, signal: AbortSignal): Promise<Found | undefined> {
    const { clock, settings } = this.#ports;
    const start = clock.monotonic();
    let looks: Looks = new Map();
    while (!signal.aborted) {
      const crash = run.failure();
      if (crash) return failed(crash);
      const short = this.#short();
      if (short) return short;
      const judged = judgeShadow(rule, run.tallies(), clock.monotonic() - start, looks);
      if (judged.verdict === "disagreed") {
        const { verdict, reason } = judged;
        return { verdict, reason, failure: { code: "shadow.disagrees", message: reason } };
      }
      if (judged.verdict !== "wait") return { ...judged, failure: null };
      looks = judged.looks;
      await clock.sleep(settings.lookMs, signal);
    }
    return undefined;
  }

  /** The live release must not be what the box ends when it has no memory left. */
  #short(): Found | undefined {
    const { availableBytes, settings } = this.#ports;
    const available = availableBytes();
    if (available >= settings.reserveBytes) return undefined;
    return failed(
      new MusterError(
        "shadow.no-memory",
        `${mebibytes(available)} MiB of memory are free; ${mebibytes(settings.reserveBytes)} MiB have to stay free while a candidate runs beside the live release.`,
      ),
    );
  }
}

/** What comes, or undefined once the signal fires. */
async function unlessEnded<T>(coming: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const ended = new AbortController();
  const end = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true, signal: ended.signal });
  });
  return Promise.race([coming, end]).finally(() => ended.abort());
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

function failed({ code, message }: MusterError): Found {
  const failure = { code, message: message.slice(0, 1000) };
  return { verdict: "failed", reason: failure.message, failure };
}

function modelOf({ cpuUs, ...tally }: ShadowTally): ShadowModel {
  const { live, candidate } = tally.confidence;
  const chance = psiThreshold(live.counts, candidate.counts, ALPHA);
  const value = psi(live.counts, candidate.counts);
  return {
    ...tally,
    cpuMs: Math.round(cpuUs / 1000),
    // Without scores, or with all of them in one bin, there is no drift to speak of.
    psi: Number.isFinite(chance) ? { value, chance } : null,
  };
}
