import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import type { Call } from "@muster/agent/runner/infer";
import { type LoadedModel, loadModel } from "@muster/agent/runner/model";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import { sha256 } from "@muster/shared/trust/digest";

/** Models loaded into the process of the test, from a folder that `close` removes. */
export class LoadedModels {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<LoadedModels> {
    return new LoadedModels(await mkdtemp(join(tmpdir(), "muster-loaded-")));
  }

  async load(name: string, bytes: Uint8Array, more: Partial<ModelDeployment> = {}): Promise<LoadedModel> {
    const modelPath = join(this.#directory, `${name}.onnx`);
    await writeFile(modelPath, bytes);
    return loadModel({
      name,
      version: "1.0.0",
      variant: "cpu-fp32",
      digest: sha256(bytes),
      provider: "cpu",
      fallback: false,
      modelPath,
      goldenPath: `${modelPath}.golden.json`,
      referencePath: `${modelPath}.reference.json`,
      ...more,
    });
  }

  close(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }
}

export const float = (name: string, shape: number[], data: number[]): TensorValue => ({
  name,
  datatype: "FP32",
  shape,
  data: Float32Array.from(data),
});

/** A call for all outputs of a model, made now. */
export function callOf(
  model: LoadedModel,
  inputs: TensorValue[],
  more: Partial<Pick<Call, "tier" | "signal">> & { timeoutMs?: number } = {},
): Call {
  const { timeoutMs = Number.POSITIVE_INFINITY, ...rest } = more;
  const receivedAt = performance.now();
  return {
    model,
    request: {
      id: undefined,
      durable: false,
      inputs,
      outputs: model.outputs.map(({ name }) => ({ name, binary: true })),
    },
    tier: "standard",
    receivedAt,
    deadlineAt: receivedAt + timeoutMs,
    signal: new AbortController().signal,
    ...rest,
  };
}
