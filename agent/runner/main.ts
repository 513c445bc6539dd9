import { asMusterError, MusterError } from "@muster/shared/errors";
import type { FromRunner, ToRunner } from "./control.ts";
import { proveGolden } from "./golden.ts";
import { scheduled } from "./compute.ts";
import { BodyReader } from "./http.ts";
import { Metrics } from "./metrics.ts";
import { type LoadedModel, loadModel } from "./model.ts";
import { ResultBuffer } from "./results.ts";
import { recorded } from "./recorded.ts";
import type { Service } from "./routes/route.ts";
import { FifoScheduler } from "./scheduler.ts";
import { EndpointServer } from "./server.ts";

type Load = Extract<ToRunner, { kind: "load" }>;

interface Runner {
  readonly models: ReadonlyMap<string, LoadedModel>;
  readonly results: ResultBuffer;
  readonly endpoint: EndpointServer;
}

const tell = (message: FromRunner, sent?: () => void): void => {
  process.send?.(message, undefined, undefined, () => sent?.());
};

async function load({ deployment, limits, agentVersion }: Load): Promise<Runner> {
  const models = new Map<string, LoadedModel>();
  for (const model of deployment.models) {
    if (models.has(model.name))
      throw new MusterError("model.load-failed", `The release has two models of the name ${model.name}.`);
    models.set(model.name, await loadModel(model));
  }
  const metrics = new Metrics(limits.edges);
  const results = new ResultBuffer(limits.resultLimit, (batch, records, dropped) =>
    tell({ kind: "results", batch, records, tally: metrics.take(), dropped }),
  );
  const bodies = new BodyReader(limits.bodyLimit, limits.bodyTotalLimit);
  const infer = recorded(scheduled(new FifoScheduler(limits.queueLimit)), results, [metrics]);
  const service: Service = { agentVersion, models, bodies, infer };
  return { models, results, endpoint: new EndpointServer(service, limits.connectionLimit) };
}

let loaded: Runner | undefined;

/** Messages of the supervisor come one at a time: it waits for each answer before it asks the next. */
async function obey(message: ToRunner): Promise<void> {
  const start = performance.now();
  if (message.kind === "ping") {
    tell({ kind: "pong", count: message.count, rssBytes: process.memoryUsage.rss() });
  } else if (message.kind === "load") {
    loaded = await load(message);
    const components = [...loaded.models.values()].map(({ deployment }) => ({
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
    for (const model of loaded.models.values()) cases += await proveGolden(model);
    tell({ kind: "golden-passed", cases, ms: performance.now() - start });
  } else if (message.kind === "listen") {
    tell({ kind: "listening", ...(await loaded.endpoint.listen(message.address)) });
  } else if (message.kind === "stored") {
    loaded.results.stored(message.batch, message.failure);
  } else {
    await loaded.endpoint.drain(message.idleConnections);
    await loaded.results.emptied();
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
