import { MusterError } from "@muster/shared/errors";
import { inferRequest, outputsIn, specsIn } from "../../external/oip-tensors.ts";
import { usageOf } from "../../external/process-usage.ts";
import type { ExternalRuntime } from "../../external/runtime.ts";
import { RuntimeServer } from "../../external/runtime-server.ts";
import type { ModelDeployment } from "../../inference/deployment.ts";
import { checkModel } from "../model-file.ts";
import type { Backend } from "./backend.ts";

/**
 * A model in a server of its own that speaks Open Inference Protocol v2. The server gets the model by the path of the
 * file whose digest was checked.
 * @param onLost told once when the server is gone; every request from then on fails with the same failure
 * @throws MusterError `artifact.corrupted`, `key.not-for-runtime`, or of the runtime family
 */
export async function openExternal(
  deployment: ModelDeployment,
  runtime: ExternalRuntime,
  onLost: (failure: MusterError) => void,
): Promise<Backend> {
  // The server reads the file by itself: in the open or not at all.
  if (deployment.sealed) throw new MusterError("key.not-for-runtime");
  await checkModel(deployment);
  const order = { modelPath: deployment.modelPath, name: runtime.modelName ?? deployment.name };
  const server = await RuntimeServer.start(runtime, order, onLost);
  try {
    const { inputs, outputs } = specsIn(await server.describe());
    return {
      inputs,
      outputs,
      run: async (values, names) => {
        const { json, blobs } = inferRequest(values, names);
        return outputsIn(await server.infer(json, blobs), names, outputs);
      },
      usage: () => {
        const { user, system } = process.cpuUsage();
        const { cpuUs, rssBytes } = usageOf(server.pid);
        return { cpuUs: user + system + cpuUs, rssBytes: process.memoryUsage.rss() + rssBytes };
      },
      close: () => server.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
