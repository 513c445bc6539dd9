import { MusterError } from "@muster/shared/errors";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelDeployment } from "../../inference/deployment.ts";
import { labelOf, readModel, reasonOf } from "../model-file.ts";
import { type SessionRequest, sessionOptions } from "../session-options.ts";
import {
  DATATYPES,
  datatypeOfOrt,
  type TensorData,
  type TensorSpec,
  type TensorValue,
} from "../tensors/datatypes.ts";
import type { Backend } from "./backend.ts";

/**
 * A session of ONNX Runtime made from the very bytes whose digest was checked.
 * @throws MusterError `artifact.corrupted` or `model.load-failed`
 */
export async function openOnnx(
  deployment: ModelDeployment,
  request: Partial<SessionRequest> = {},
): Promise<Backend & { readonly session: InferenceSession }> {
  const bytes = await readModel(deployment);
  const { provider, minPlacement } = deployment;
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(bytes, sessionOptions({ provider, minPlacement, ...request }));
  } catch (cause) {
    throw new MusterError(
      "model.load-failed",
      `${labelOf(deployment)} cannot be loaded on ${provider}: ${reasonOf(cause)}`,
      { cause },
    );
  } finally {
    // The runtime has a copy of its own by now.
    if (deployment.sealed) bytes.fill(0);
  }
  const inputs = session.inputMetadata.map((metadata) => specOf(deployment, metadata));
  const outputs = session.outputMetadata.map((metadata) => specOf(deployment, metadata));
  return {
    session,
    inputs,
    outputs,
    run: (values, names) => runSession(session, outputs, values, names),
    usage: () => {
      const { user, system } = process.cpuUsage();
      return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
    },
    close: () => session.release(),
  };
}

function specOf(deployment: ModelDeployment, metadata: InferenceSession.ValueMetadata): TensorSpec {
  const datatype = metadata.isTensor ? datatypeOfOrt(metadata.type) : undefined;
  if (!metadata.isTensor || datatype === undefined)
    throw new MusterError(
      "model.load-failed",
      `${labelOf(deployment)} has '${metadata.name}' of a type that the inference protocol has no name for.`,
    );
  return { name: metadata.name, datatype, shape: metadata.shape };
}

async function runSession(
  session: InferenceSession,
  specs: readonly TensorSpec[],
  inputs: readonly TensorValue[],
  names: readonly string[],
): Promise<TensorValue[]> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, datatype, data, shape } of inputs)
    feeds[name] = new Tensor(DATATYPES[datatype].ort as "float32", data as Float32Array, shape);
  let results: InferenceSession.ReturnType;
  try {
    results = await session.run(feeds, names);
  } catch (cause) {
    throw new MusterError("inference.failed", `The runtime failed: ${reasonOf(cause)}`, { cause });
  }
  return names.map((name) => {
    const tensor = results[name]!;
    const spec = specs.find((candidate) => candidate.name === name)!;
    return { name, datatype: spec.datatype, shape: tensor.dims, data: tensor.data as TensorData };
  });
}
