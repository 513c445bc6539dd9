import { asMusterError } from "@muster/shared/errors";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { RunnerReport } from "../runner/reports.ts";
import type { ShadowTally } from "../shadow/tally.ts";
import { addTally, emptyTally, quantile, type TallyEdges } from "./latency.ts";
import type { InferencePorts, Observed } from "./ports.ts";
import type { Report, RunnerProcess } from "./runner-process.ts";
import { ServingCounters } from "./serving.ts";

type Release = InferenceCounters["release"];
type ShadowListener = (models: readonly ShadowTally[]) => void;

/** Bounds of the bins in which latency and confidence are counted. */
export const TALLY_EDGES: TallyEdges = { latency: LATENCY_EDGES_MS, confidence: CONFIDENCE_EDGES };

/** Takes what runners tell: results on their way into the store, what is counted of them, and their reports. */
export class Intake {
  readonly #ports: Pick<InferencePorts, "onResults" | "onEvent" | "onReport" | "log">;
  readonly #counters: ServingCounters;
  readonly #shadows = new Map<string, ShadowListener>();
  #watched: Release | undefined;
  #observed = emptyTally(TALLY_EDGES);

  constructor(ports: InferencePorts) {
    this.#ports = ports;
    this.#counters = new ServingCounters(
      TALLY_EDGES,
      () => performance.now(),
      () => ports.energyRate?.() ?? null,
    );
  }

  /** From now on this release is what `observed` tells of, from nothing; undefined ends it. */
  watch(release: Release | undefined): void {
    this.#watched = release;
    if (release !== undefined) this.#observed = emptyTally(TALLY_EDGES);
  }

  /** Serving time goes to this release now; undefined when none is served. */
  serves(release: Release | undefined): void {
    this.#counters.serves(release);
  }

  crashed(release: Release): void {
    this.#counters.crashed(release);
  }

  /** What each release did since the last call. */
  takeCounters(): InferenceCounters[] {
    return this.#counters.take();
  }

  /** What was seen of the watched release. */
  observed(): Omit<Observed, "crashes"> {
    const { inferences, failures, latency } = this.#observed;
    return { inferences, failures, p95Ms: quantile(latency, 0.95) };
  }

  /** Has what is told of a shadow counted for its candidate, and told. @returns ends it */
  listen(shadow: string, candidate: Release, listener: ShadowListener): () => void {
    this.#shadows.set(shadow, (tallies) => {
      for (const { compared, agreed } of tallies) this.#counters.shadow(candidate, compared, agreed);
      listener(tallies);
    });
    return () => this.#shadows.delete(shadow);
  }

  take(release: Release, runner: RunnerProcess, report: Report): void {
    if (report.kind === "report") this.#report(report.report);
    else this.#results(release, runner, report);
  }

  #results(release: Release, runner: RunnerProcess, report: Extract<Report, { kind: "results" }>): void {
    const { batch, tally, dropped, records } = report;
    this.#counters.count(release, tally);
    if (release === this.#watched) this.#observed = addTally(this.#observed, tally);
    if (dropped > 0)
      this.#ports.onEvent({
        code: "results.dropped",
        message: `${dropped} results were dropped before they were stored.`,
      });
    try {
      // Sums may come without results.
      if (records.length > 0) this.#ports.onResults(records);
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
}
