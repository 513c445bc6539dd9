import type { MusterError } from "@muster/shared/errors";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { Conditions } from "../power/conditions.ts";
import type { BatchWatch } from "./batch-watch.ts";
import { BodyReader } from "./bodies.ts";
import type { Capture } from "./capture/capture.ts";
import { openCapture } from "./capture/open-capture.ts";
import { cascaded } from "./cascade/cascade.ts";
import { loadCascades } from "./cascade/load-cascade.ts";
import type { FromRunner, ToRunner } from "./control.ts";
import { Forwarder } from "./forward/forwarder.ts";
import { Siblings } from "./forward/siblings.ts";
import type { Observer } from "./infer.ts";
import { Metrics } from "./metrics.ts";
import { type LoadedModel, loadModel } from "./model.ts";
import { Models } from "./models.ts";
import { Monitoring } from "./monitoring/monitoring.ts";
import { preparePipeline } from "./pipeline/of-model.ts";
import { recorded } from "./recorded.ts";
import { DEFAULT_REQUEST_LIMITS } from "./request-limits.ts";
import { ResultBuffer } from "./results.ts";
import type { Service } from "./routes/route.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import { EndpointServer } from "./server.ts";
import { standIn } from "./stand-in.ts";
import { Statistics } from "./statistics.ts";

type LoadOrder = Extract<ToRunner, { kind: "load" }>;

/** The models of a release and what answers for them. */
export interface LoadedRunner {
  readonly models: Models;
  /** Loaded for cascades alone. */
  readonly alternatives: readonly LoadedModel[];
  readonly scheduler: Scheduler;
  readonly results: ResultBuffer;
  readonly monitoring: Monitoring;
  readonly capture: Capture | undefined;
  readonly siblings: Siblings;
  readonly forwarder: Forwarder;
  readonly endpoint: EndpointServer;
}

/** What a runner has before it has models. */
export interface Surroundings {
  readonly tell: (message: FromRunner) => void;
  /** Hands samples of what is answered to a candidate, while there is one. */
  readonly tap: Observer;
  /** Told of every batch from the start, so that a golden run measures it. */
  readonly watch: BatchWatch;
  readonly conditions: () => Conditions;
  /** A server that models are computed with is gone. */
  readonly lost: (why: MusterError) => void;
}

/**
 * Opens every model of a release and puts together what answers for them.
 * @throws MusterError `artifact.corrupted`, `pipeline.unfit`, of the `model.` and `runtime.` families
 */
export async function load(
  { deployment, limits, agentVersion, runner, session }: LoadOrder,
  { tell, tap, watch, conditions, lost }: Surroundings,
): Promise<LoadedRunner> {
  const opened: LoadedModel[] = [];
  const open = async (model: ModelDeployment) =>
    watch.watch(model.standIn ? await standIn(model) : await loadModel(model, lost, session));
  for (const model of deployment.models) opened.push(await open(model));
  for (const model of opened) await preparePipeline(model);
  const models = new Models(opened);
  const { alternatives, rungs } = await loadCascades(models, open);
  const scheduler = new Scheduler(limits.queueLimit);
  const metrics = new Metrics(limits.edges);
  const results = new ResultBuffer(limits.resultLimit, (batch, records, dropped) =>
    tell({ kind: "results", batch, records, tally: metrics.take(), dropped }),
  );
  const bodies = new BodyReader(limits.bodyLimit, limits.bodyTotalLimit);
  const monitoring = await Monitoring.open([...models.all, ...alternatives], deployment.release.digest, {
    report: (report) => tell({ kind: "report", report }),
    now: Date.now,
  });
  const capture = openCapture(limits.examples, deployment.release.digest, (report) =>
    tell({ kind: "report", report }),
  );
  const statistics = new Statistics();
  const cascade = cascaded({ rungs, conditions });
  const computed = monitoring.guarded(cascade(scheduler.infer));
  const infer = recorded(
    computed,
    results,
    [metrics, statistics, monitoring, tap, ...(capture ? [capture] : [])],
    () => {
      metrics.refused();
      results.touch();
    },
  );
  const siblings = new Siblings(runner);
  const forwarder = new Forwarder(limits.bodyLimit);
  const service: Service = {
    agentVersion,
    models,
    siblings,
    forwarder,
    bodies,
    infer,
    limits: { ...DEFAULT_REQUEST_LIMITS, rows: limits.rowLimit },
    statistics,
  };
  return {
    models,
    alternatives,
    scheduler,
    results,
    monitoring,
    capture,
    siblings,
    forwarder,
    endpoint: new EndpointServer(service, limits.connectionLimit),
  };
}
