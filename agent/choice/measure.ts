import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MusterError } from "@muster/shared/errors";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { HandedKey } from "../runner/key-ring.ts";
import type { FromMeasurer, Measurement, MeasureRequest, Step } from "./measurement.ts";

const EXECUTABLE = fileURLToPath(import.meta.resolve("@muster/agent/choice/measurer"));

/** Last characters of what the child printed that are kept for the reason. */
const KEPT_OUTPUT = 300;

export interface MeasureLimits {
  /** Longest measurement of one candidate, seconds. */
  readonly measureSeconds: number;
  /** Time of the timed runs, milliseconds. */
  readonly benchMs: number;
}

export const DEFAULT_MEASURE_LIMITS: MeasureLimits = { measureSeconds: 120, benchMs: 2000 };

/**
 * Measures a variant on its provider in a process that is thrown away.
 * @param keys that of the model, where it is sealed; wiped in the end
 * @returns also for a child that crashed (`runner.crashed`), ran out of memory or hung (`runner.hung`)
 * @throws MusterError `request.conflict` when the signal fired
 */
export async function measureInChild(
  deployment: ModelDeployment,
  limits: MeasureLimits,
  signal: AbortSignal,
  keys: readonly HandedKey[] = [],
): Promise<Measurement> {
  if (signal.aborted) throw stopped();
  // What the child leaves behind when it is killed goes with this folder.
  const folder = await mkdtemp(join(tmpdir(), "muster-measure-"));
  const child = fork(EXECUTABLE, [], {
    execArgv: [],
    env: { ...process.env, MUSTER_JOIN_TOKEN: "", TMPDIR: folder },
    silent: true,
    serialization: "advanced",
  });
  const end = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", end);
  try {
    const measurement = await outcomeOf(
      child,
      { deployment, benchMs: limits.benchMs, keys },
      limits.measureSeconds,
    );
    if (signal.aborted) throw stopped();
    return measurement;
  } finally {
    signal.removeEventListener("abort", end);
    end();
    for (const { secret } of keys) secret.fill(0);
    await rm(folder, { recursive: true, force: true });
  }
}

const stopped = () => new MusterError("request.conflict", "The measurement was stopped.");

/** Resolves when the child is gone: the next one must have the box for itself. */
function outcomeOf(child: ChildProcess, request: MeasureRequest, seconds: number): Promise<Measurement> {
  return new Promise((resolve) => {
    let step: Step = "start";
    let outcome: Measurement | undefined;
    let output = "";
    const timer = setTimeout(() => {
      const message = `It was silent for more than ${seconds} s (${step}) and was killed.`;
      outcome ??= { failure: { code: "runner.hung", message }, step };
      child.kill("SIGKILL");
    }, seconds * 1000);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
      });
    child.on("message", (message: FromMeasurer) => {
      if (message.kind === "up") child.send(request, () => {});
      else if (message.kind === "step") step = message.step;
      else if (outcome === undefined) {
        const { kind: _kind, ...rest } = message;
        outcome = rest;
      }
    });
    const gone = (how: string): void => {
      clearTimeout(timer);
      const said = output.trim() === "" ? "" : ` It said: ${output.trim()}`;
      const failure = { code: "runner.crashed" as const, message: `Measuring ${how} (${step}).${said}` };
      resolve(outcome ?? { failure, step });
    };
    child.once("error", (error) => gone(`could not begin: ${error.message}`));
    child.once("exit", (code, by) => gone(by ? endedBy(by) : `ended with exit code ${code}`));
  });
}

/** Nobody but the kernel, for want of memory, ends it this way without our having asked. */
const endedBy = (signal: NodeJS.Signals): string =>
  signal === "SIGKILL" ? "was ended by SIGKILL, probably for want of memory" : `was ended by ${signal}`;
