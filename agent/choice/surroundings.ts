import { readdirSync, readFileSync, statSync } from "node:fs";
import { cpus, release } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import { programOf } from "../external/probe.ts";
import type { ModelDeployment } from "../inference/deployment.ts";

/** Files that tell the driver behind a provider; those that are not there say so too. */
const DRIVERS: Readonly<Record<string, readonly string[]>> = {
  cuda: ["/proc/driver/nvidia/version"],
  tensorrt: ["/proc/driver/nvidia/version"],
  webgpu: ["/proc/driver/nvidia/version", "/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"],
};

/** Names, sizes and times of what lies in a folder, or the text of a file of the kernel. */
function stateOf(path: string): unknown {
  try {
    if (!statSync(path).isDirectory()) return readFileSync(path, "utf8");
    return readdirSync(path)
      .sort()
      .map((name) => {
        const { size, mtimeMs } = statSync(join(path, name));
        return [name, size, mtimeMs];
      });
  } catch {
    return null;
  }
}

function programState(command: string): unknown {
  const path = programOf(command);
  if (!path) return null;
  const { size, mtimeMs } = statSync(path);
  return [size, mtimeMs];
}

/** The version of the runtime with the libraries that it is made of: they may be exchanged beneath it. */
function runtimeState(): unknown {
  const main = fileURLToPath(import.meta.resolve("onnxruntime-node"));
  const root = dirname(dirname(main));
  const libraries = join(root, "bin", "napi-v6", process.platform, process.arch);
  return [JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version, stateOf(libraries)];
}

/**
 * Names what a measurement depends on: model, golden set, provider, runtime, driver and processor. While it is the same,
 * the numbers hold.
 */
export function measurementKey(deployment: ModelDeployment): string {
  const { digest, goldenPath, provider, minPlacement = 1, runtime } = deployment;
  const parts = {
    model: digest,
    golden: sha256(readFileSync(goldenPath)),
    provider,
    minPlacement,
    runtime: runtime ? [runtime, programState(runtime.command)] : runtimeState(),
    driver: provider === "cpu" ? null : [release(), (DRIVERS[provider] ?? []).map(stateOf)],
    environment: process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES ?? null,
    processor: [cpus()[0]?.model ?? "", cpus().length],
  };
  return sha256(canonicalJson(parts));
}
