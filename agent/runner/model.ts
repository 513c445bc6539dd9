import type { MusterError } from "@muster/shared/errors";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { Backend } from "./backend/backend.ts";
import { openOnnx } from "./backend/onnx.ts";
import type { SessionTuning } from "./control.ts";

/** A model that can be run, with the names of its tensors. */
export interface LoadedModel extends Backend {
  readonly deployment: ModelDeployment;
}

/**
 * Loads a model file whose digest is as signed.
 * @param onLost told once when an external runtime is gone for good; every request fails from then on
 * @throws MusterError `artifact.corrupted`, `model.load-failed`, or of the runtime family for an external runtime
 */
export async function loadModel(
  deployment: ModelDeployment,
  onLost: (failure: MusterError) => void = () => {},
  session: SessionTuning = {},
): Promise<LoadedModel> {
  const { inputs, outputs, run, usage, close } = await openBackend(deployment, onLost, session);
  return { deployment, inputs, outputs, run, usage, close };
}

async function openBackend(
  deployment: ModelDeployment,
  onLost: (failure: MusterError) => void,
  session: SessionTuning,
): Promise<Backend> {
  if (!deployment.runtime) return openOnnx(deployment, session);
  const { openExternal } = await import("./backend/external.ts");
  return openExternal(deployment, deployment.runtime, onLost);
}
