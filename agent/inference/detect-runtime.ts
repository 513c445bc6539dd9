import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { probeRuntime } from "../external/probe.ts";
import type { ExternalRuntimes } from "../external/runtime.ts";

const PROBE = fileURLToPath(import.meta.resolve("@muster/agent/runner/probe"));
/** Longest probe of one provider, milliseconds. */
const PROBE_TIMEOUT_MS = 30_000;

/** Providers from the one that is wanted most; what is not listed comes before the CPU, which comes last. */
const PREFERENCE = ["tensorrt", "cuda", "qnn", "openvino", "coreml", "dml", "webgpu"];

const rankOf = (provider: string): number => {
  const rank = PREFERENCE.indexOf(provider);
  return provider === "cpu" ? PREFERENCE.length + 1 : rank === -1 ? PREFERENCE.length : rank;
};

const run = promisify(execFile);

export interface RuntimeFacts {
  /** Execution providers that the runtime can really use here, best first; empty when not even the CPU works. */
  readonly providers: string[];
  /** Highest opset of the default ONNX domain that it reads. */
  readonly opset: number;
}

/**
 * Asks the runtime itself. For each provider a child process of its own creates a small session, so that a driver
 * that crashes takes nothing with it. External runtimes of the box are asked with their own probe.
 */
export async function detectRuntime(runtimes: ExternalRuntimes): Promise<RuntimeFacts> {
  const built = await probe([]);
  const usable: string[] = [];
  for (const [name, runtime] of Object.entries(runtimes)) if (await probeRuntime(runtime)) usable.push(name);
  for (const name of valuesOf(built, "provider"))
    if (valuesOf(await probe([name]), "provider").includes(name)) usable.push(name);
  const providers = usable.sort((a, b) => rankOf(a) - rankOf(b));
  return { providers, opset: Number(valuesOf(built, "opset")[0] ?? 1) };
}

const valuesOf = (lines: readonly string[], kind: string): string[] =>
  lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));

/** What the probe child prints, one fact a line. A child that fails in whatever way has nothing to say. */
async function probe(args: string[]): Promise<string[]> {
  try {
    const { stdout } = await run(process.execPath, [PROBE, ...args], {
      timeout: PROBE_TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: 1024 * 1024,
    });
    return stdout.split("\n");
  } catch {
    return [];
  }
}
