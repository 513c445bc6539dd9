import { MusterError } from "@muster/shared/errors";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { Deployment } from "./deployment.ts";
import type { TallyEdges } from "./latency.ts";
import type { LogPort } from "./ports.ts";
import { RunnerProcess } from "./runner-process.ts";
import type { InferenceSettings } from "./settings.ts";

/** A runner that has loaded and proven a release and does not listen yet. */
export interface Launched {
  readonly runner: RunnerProcess;
  readonly components: RunningComponent[];
}

export interface LaunchContext {
  readonly version: string;
  readonly settings: InferenceSettings;
  readonly log: LogPort;
  readonly edges: TallyEdges;
}

/**
 * Starts a runner, lets it load the release and reproduce the golden outputs.
 * @param signal ends the attempt and the runner
 * @throws MusterError `model.load-failed`, `model.golden-mismatch`, `artifact.corrupted`, `runner.crashed`,
 *   `runner.hung`, or `request.conflict` when the signal fired
 */
export async function launch(
  context: LaunchContext,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<Launched> {
  const { edges, log, settings, version } = context;
  const runner = RunnerProcess.fork(log);
  const abort = () => runner.end();
  signal.addEventListener("abort", abort);
  try {
    if (signal.aborted) abort();
    await runner.started(settings.startSeconds);
    const { bodyLimit, bodyTotalLimit, connectionLimit, queueLimit, resultLimit } = settings;
    const limits = { bodyLimit, bodyTotalLimit, connectionLimit, queueLimit, resultLimit, edges };
    const load = { kind: "load", deployment, limits, agentVersion: version } as const;
    const { components, loadMs } = await runner.ask(load, "loaded", settings.loadSeconds);
    const golden = await runner.ask({ kind: "golden" }, "golden-passed", settings.goldenSeconds);
    const { name, version: release } = deployment.release;
    log.info(
      { runner: runner.pid, release: `${name} ${release}`, loadMs, goldenMs: golden.ms, cases: golden.cases },
      "runner has proven the release",
    );
    return { runner, components };
  } catch (error) {
    runner.end();
    await runner.exited;
    if (signal.aborted) throw new MusterError("request.conflict", "Inference was stopped.", { cause: error });
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
