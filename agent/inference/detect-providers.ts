import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

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

/**
 * Execution providers that the runtime can really use here, best first. Each one creates a small session in a child
 * process of its own, so that a driver that crashes takes nothing with it. Empty when not even the CPU works.
 */
export async function detectProviders(): Promise<string[]> {
  const candidates = await probe([]);
  const usable: string[] = [];
  for (const provider of candidates) if ((await probe([provider])).includes(provider)) usable.push(provider);
  return usable.sort((a, b) => rankOf(a) - rankOf(b));
}

/** What the probe child prints: names one a line. A child that fails in whatever way has nothing to say. */
async function probe(args: string[]): Promise<string[]> {
  try {
    const { stdout } = await run(process.execPath, [PROBE, ...args], {
      timeout: PROBE_TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: 1024 * 1024,
    });
    return stdout
      .split("\n")
      .flatMap((line) => (line.startsWith("provider ") ? [line.slice("provider ".length)] : []));
  } catch {
    return [];
  }
}
