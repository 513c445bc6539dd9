import { asMusterError } from "@muster/shared/errors";
import type { DriftWindow } from "@muster/shared/protocol/drift-window";
import type { Failure } from "@muster/shared/protocol/primitives";
import { DEFAULT_MONITOR } from "@muster/shared/protocol/serving/default-monitor";
import type { Monitor } from "@muster/shared/protocol/serving/monitoring";
import type { ModelDeployment } from "../../inference/deployment.ts";
import type { Layer, Observation, Observer } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import type { RunnerReport } from "../reports.ts";
import { planFeatures } from "./feature-bins.ts";
import { guarded } from "./guards.ts";
import { ModelMonitor } from "./model-monitor.ts";
import { type Reference, readReference } from "./reference.ts";
import { isOver } from "./window.ts";

/** Time between two looks at the open windows, milliseconds. */
const LOOK_MS = 1000;

export interface MonitoringPorts {
  readonly report: (report: RunnerReport) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Watched {
  readonly deployment: ModelDeployment;
  readonly reference: Reference;
  readonly rule: Monitor;
  readonly monitor: ModelMonitor;
  /** Milliseconds since the epoch. */
  since: number;
}

/** Watches what the models of a runner see and say, window by window, and guards their inputs. */
export class Monitoring implements Observer {
  readonly #release: string;
  readonly #ports: MonitoringPorts;
  readonly #watched = new Map<ModelDeployment, Watched>();
  /** Told once somebody listens. */
  readonly #notices: Failure[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** A model whose reference cannot be read is served unwatched, and that is told. */
  static async open(
    models: Iterable<LoadedModel>,
    release: string,
    ports: MonitoringPorts,
  ): Promise<Monitoring> {
    const monitoring = new Monitoring(release, ports);
    for (const model of models) await monitoring.#watch(model);
    return monitoring;
  }

  private constructor(release: string, ports: MonitoringPorts) {
    this.#release = release;
    this.#ports = ports;
  }

  /** Refuses or counts requests that violate the guards of their release. */
  readonly guarded: Layer = guarded(({ model }) => this.#watched.get(model.deployment)?.monitor.quality);

  observe({ call, inferred }: Observation): void {
    const rung = inferred.degraded?.rung;
    // Nothing was computed: what it says was said before.
    if (rung === "cache" || rung === "default") return;
    this.#watched.get(inferred.by)?.monitor.observe(call, inferred);
  }

  /** Tells what is not watched, and begins the first windows. */
  start(): void {
    for (const notice of this.#notices.splice(0)) this.#ports.report({ kind: "notice", notice });
    for (const watched of this.#watched.values()) watched.since = this.#ports.now();
    this.#timer ??= setInterval(() => this.#look(false), LOOK_MS).unref();
  }

  /** Ends all windows and reports what they hold. */
  stop(): void {
    clearInterval(this.#timer);
    this.#look(true);
  }

  #look(ends: boolean): void {
    const now = this.#ports.now();
    for (const watched of this.#watched.values()) {
      const { monitor, rule } = watched;
      const seen = { samples: monitor.samples, rejected: monitor.quality.rejected };
      // A clock that was set back must not keep a window open.
      if (now < watched.since) watched.since = now;
      if (!(ends ? seen.samples + seen.rejected > 0 : isOver(rule, now - watched.since, seen))) continue;
      this.#ports.report(this.#close(watched, now));
    }
  }

  #close(watched: Watched, to: number): RunnerReport {
    const { deployment, reference, rule, monitor } = watched;
    const { name: model, version, variant } = deployment;
    const window: DriftWindow = {
      release: this.#release,
      model,
      version,
      variant,
      reference: reference.digest,
      from: watched.since,
      to,
      ...monitor.take(),
    };
    watched.since = to;
    const counts = Object.keys(window.features).map(
      (feature) => [feature, reference.set.features[feature]!.counts] as const,
    );
    return { kind: "drift", window, reference: Object.fromEntries(counts), rule };
  }

  async #watch({ deployment, inputs, outputs }: LoadedModel): Promise<void> {
    const notice = (message: string) => this.#notices.push({ code: "model.reference-invalid", message });
    const label = `${deployment.name} ${deployment.version} (${deployment.variant})`;
    try {
      const reference = await readReference(deployment.referencePath);
      const names = (specs: typeof inputs) => specs.map(({ name }) => name);
      const plan = planFeatures(reference.set, names(inputs), names(outputs));
      if (plan.ignored.length > 0)
        notice(
          `Features of the reference of ${label} are not watched: ${plan.ignored.join(", ").slice(0, 600)}.`,
        );
      const monitor = new ModelMonitor(plan, outputs[0]?.name ?? "");
      const rule = deployment.serving?.monitor ?? DEFAULT_MONITOR;
      this.#watched.set(deployment, { deployment, reference, rule, monitor, since: this.#ports.now() });
    } catch (error) {
      notice(`${label} is served and not watched for drift: ${asMusterError(error).message}`);
    }
  }
}
