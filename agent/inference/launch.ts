import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { OpenKeys } from "../keys/model-keys.ts";
import { keysOfDeployments } from "../keys/sealed-keys.ts";
import type { RunnerLimits, SessionTuning } from "../runner/control.ts";
import type { ModelDeployment } from "./deployment.ts";
import type { TallyEdges } from "./latency.ts";
import type { LogPort } from "./ports.ts";
import { silenceMs } from "./pulse.ts";
import { RunnerProcess } from "./runner-process.ts";
import type { InferenceSettings } from "./settings.ts";

/** A runner that has loaded and proven its models and does not listen yet. */
export interface Launched {
  /** How other runners call this one; no other ever has that name. */
  readonly name: string;
  readonly runner: RunnerProcess;
  readonly models: readonly ModelDeployment[];
  readonly components: RunningComponent[];
  /** How its sessions use the processor. */
  readonly session: SessionTuning;
}

export interface LaunchContext {
  readonly version: string;
  readonly settings: InferenceSettings;
  readonly log: LogPort;
  readonly edges: TallyEdges;
  /** How the sessions of the next runner use the processor. */
  readonly session: () => SessionTuning;
  readonly openKeys: OpenKeys;
}

/** What one runner is to load. */
export interface LaunchOrder {
  readonly release: ReleaseRef;
  /** Of the group. */
  readonly id: string;
  readonly models: readonly ModelDeployment[];
}

let launches = 0;

/**
 * Starts a runner, lets it load its models and reproduce their golden outputs.
 * @param signal ends the attempt and the runner
 * @throws MusterError `model.load-failed`, `model.golden-mismatch`, `artifact.corrupted`, `runner.crashed`,
 *   `runner.hung`, of the key family for sealed models, or `request.conflict` when the signal fired
 */
export async function launch(
  context: LaunchContext,
  { release, id, models }: LaunchOrder,
  signal: AbortSignal,
): Promise<Launched> {
  const { log, settings, version } = context;
  launches += 1;
  const name = `${id}#${launches}`;
  const runner = RunnerProcess.fork(log);
  const abort = () => runner.end();
  signal.addEventListener("abort", abort);
  try {
    if (signal.aborted) abort();
    await runner.started(settings.startSeconds);
    const session = context.session();
    const opened = await context.openKeys(keysOfDeployments(models));
    const keys = [...opened].map(([id, secret]) => ({ id, secret }));
    const load = {
      kind: "load",
      deployment: { release, models: models.map(({ ladder: _, ...model }) => model) },
      limits: limitsOf(context),
      agentVersion: version,
      runner: name,
      session,
      keys,
    } as const;
    const loading = runner.ask(load, "loaded", settings.loadSeconds).finally(() => {
      for (const { secret } of keys) secret.fill(0);
    });
    const { components, loadMs } = await loading;
    const golden = await runner.ask({ kind: "golden" }, "golden-passed", settings.goldenSeconds);
    log.info(
      {
        runner: runner.pid,
        group: id,
        release: `${release.name} ${release.version}`,
        loadMs,
        goldenMs: golden.ms,
        cases: golden.cases,
      },
      "runner has proven its models",
    );
    return { name, runner, models, components, session };
  } catch (error) {
    runner.end();
    await runner.exited;
    if (signal.aborted) throw new MusterError("request.conflict", "Inference was stopped.", { cause: error });
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function limitsOf({ settings, edges }: LaunchContext): RunnerLimits {
  const { bodyLimit, bodyTotalLimit, rowLimit, connectionLimit, queueLimit, resultLimit, examples } =
    settings;
  const batchLimitMs = silenceMs(settings);
  return {
    bodyLimit,
    bodyTotalLimit,
    rowLimit,
    connectionLimit,
    queueLimit,
    resultLimit,
    batchLimitMs,
    edges,
    examples,
  };
}
