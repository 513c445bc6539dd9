import { asMusterError, MusterError } from "@muster/shared/errors";
import type { ModelDeployment } from "../inference/deployment.ts";
import { FAIR } from "../power/conditions.ts";
import { BatchWatch } from "./batch-watch.ts";
import { BodyReader } from "./bodies.ts";
import type { Capture } from "./capture/capture.ts";
import { openCapture } from "./capture/open-capture.ts";
import { cascaded } from "./cascade/cascade.ts";
import { loadCascades } from "./cascade/load-cascade.ts";
import type { FromRunner, ToRunner } from "./control.ts";
import { Forwarder } from "./forward/forwarder.ts";
import { Siblings } from "./forward/siblings.ts";
import { goldenSamples, proveGolden } from "./golden.ts";
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
import { ShadowIntake } from "./shadow/intake.ts";
import { ShadowTap } from "./shadow/tap.ts";
import { standIn } from "./stand-in.ts";
import { Statistics } from "./statistics.ts";

/** Golden cases whose inputs warm a model up. */
const WARM_UP_CASES = 4;

type Load = Extract<ToRunner, { kind: "load" }>;

interface Runner {
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

const tell = (message: FromRunner, sent?: () => void): void => {
  process.send?.(message, undefined, undefined, () => sent?.());
};

const tap = new ShadowTap({
  random: Math.random,
  monotonic: () => performance.now(),
  tell: (shadow, models) => tell({ kind: "report", report: { kind: "shadow", shadow, models } }),
});

/** Told of every batch from the start, so that a golden run measures it. */
let watch: BatchWatch | undefined;

/** Time to answer what failed with an external runtime before this runner goes, milliseconds. */
const LOST_GRACE_MS = 250;

/** A runner lives no longer than the servers that it computes with: the supervisor starts both again. */
function lost({ code, message }: MusterError): void {
  tell({ kind: "failed", code, message });
  setTimeout(() => process.exit(1), LOST_GRACE_MS);
}

async function load({ deployment, limits, agentVersion, runner, session }: Load): Promise<Runner> {
  const watched = new BatchWatch(
    limits.batchLimitMs,
    (limitMs) => tell({ kind: "batch", limitMs }),
    () => performance.now(),
  );
  watch = watched;
  const opened: LoadedModel[] = [];
  const open = async (model: ModelDeployment) =>
    watched.watch(model.standIn ? await standIn(model) : await loadModel(model, lost, session));
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
  const cascade = cascaded({ rungs, conditions: () => conditions });
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

let loaded: Runner | undefined;
let conditions = FAIR;

/** Messages of the supervisor come one at a time: it waits for each answer before it asks the next. */
async function obey(message: ToRunner): Promise<void> {
  const start = performance.now();
  if (message.kind === "ping") {
    tell({
      kind: "pong",
      count: message.count,
      rssBytes: process.memoryUsage.rss(),
      running: watch?.running() ?? null,
    });
  } else if (message.kind === "load") {
    loaded = await load(message);
    const components = loaded.models.all.map(({ deployment }) => ({
      type: "model" as const,
      name: deployment.name,
      version: deployment.version,
      digest: deployment.digest as `sha256:${string}`,
      variant: deployment.variant,
      provider: deployment.provider,
    }));
    tell({ kind: "loaded", components, loadMs: performance.now() - start });
  } else if (!loaded) {
    throw new MusterError("internal.unexpected", `The runner got '${message.kind}' before 'load'.`);
  } else if (message.kind === "golden") {
    let cases = 0;
    const { alternatives, models, scheduler } = loaded;
    for (const model of [...models.all, ...alternatives]) {
      if (model.deployment.standIn) continue;
      cases += await proveGolden(model);
      const unbatched = await scheduler.warmUp(model, await goldenSamples(model, WARM_UP_CASES));
      // The supervisor writes what the runner prints into the log.
      if (unbatched !== undefined)
        console.log(`requests to ${model.deployment.name} are computed one by one: ${unbatched}`);
    }
    tell({ kind: "golden-passed", cases, ms: performance.now() - start });
  } else if (message.kind === "listen") {
    tell({ kind: "listening", ...(await loaded.endpoint.listen(message.address)) });
    loaded.monitoring.start();
  } else if (message.kind === "shadow") {
    tap.follow(message.order);
  } else if (message.kind === "shadow-intake") {
    const { models } = loaded;
    await new ShadowIntake((name) => models.find(name), message.mostBytes).listen(message.socketPath);
    tell({ kind: "shadow-ready" });
  } else if (message.kind === "siblings") {
    loaded.siblings.update(message.standings);
  } else if (message.kind === "conditions") {
    conditions = message.conditions;
    loaded.scheduler.obey(conditions);
  } else if (message.kind === "stored") {
    loaded.results.stored(message.batch, message.failure);
  } else {
    await loaded.endpoint.drain(message.idleConnections);
    await loaded.results.emptied();
    loaded.monitoring.stop();
    await loaded.capture?.settled();
    loaded.forwarder.close();
    tell({ kind: "drained" }, () => process.exit(0));
  }
}

process.title = "muster-runner";
// A terminal or a service manager signals the whole group: the supervisor decides when the runner goes.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("message", (message: ToRunner) => {
  obey(message).catch((error) => {
    const { code, message } = asMusterError(error);
    tell({ kind: "failed", code, message });
  });
});
tell({ kind: "up" });
