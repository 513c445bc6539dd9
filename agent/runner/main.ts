import { asMusterError, MusterError } from "@muster/shared/errors";
import { FAIR } from "../power/conditions.ts";
import { BatchWatch } from "./batch-watch.ts";
import type { FromRunner, ToRunner } from "./control.ts";
import { goldenSamples, proveGolden } from "./golden.ts";
import { dropKeys, holdKeys } from "./key-ring.ts";
import { type LoadedRunner, load } from "./load.ts";
import { ShadowIntake } from "./shadow/intake.ts";
import { ShadowTap } from "./shadow/tap.ts";

/** Golden cases whose inputs warm a model up. */
const WARM_UP_CASES = 4;

const tell = (message: FromRunner, sent?: () => void): void => {
  process.send?.(message, undefined, undefined, () => sent?.());
};

const tap = new ShadowTap({
  random: Math.random,
  monotonic: () => performance.now(),
  tell: (shadow, models) => tell({ kind: "report", report: { kind: "shadow", shadow, models } }),
});

/** Time to answer what failed with an external runtime before this runner goes, milliseconds. */
const LOST_GRACE_MS = 250;

/** A runner lives no longer than the servers that it computes with: the supervisor starts both again. */
function lost({ code, message }: MusterError): void {
  tell({ kind: "failed", code, message });
  setTimeout(() => process.exit(1), LOST_GRACE_MS);
}

let loaded: LoadedRunner | undefined;
let watch: BatchWatch | undefined;
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
    watch = new BatchWatch(
      message.limits.batchLimitMs,
      (limitMs) => tell({ kind: "batch", limitMs }),
      () => performance.now(),
    );
    holdKeys(message.keys);
    loaded = await load(message, { tell, tap, watch, conditions: () => conditions, lost });
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
    dropKeys();
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
