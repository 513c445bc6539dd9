import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import { sha256 } from "@muster/shared/trust/digest";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelDeployment } from "../inference/deployment.ts";
import { sessionOptions } from "./session-options.ts";
import {
  DATATYPES,
  datatypeOfOrt,
  type TensorData,
  type TensorSpec,
  type TensorValue,
} from "./tensors/datatypes.ts";

/** A model with its session, the names of its tensors and the digest of the bytes it was made from. */
export interface LoadedModel {
  readonly deployment: ModelDeployment;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** @throws MusterError `inference.failed` */
  run(inputs: readonly TensorValue[], outputs: readonly string[]): Promise<TensorValue[]>;
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 600);

/**
 * Reads the file once, checks its digest and makes the session from those very bytes.
 * @throws MusterError `artifact.corrupted` or `model.load-failed`
 */
export async function loadModel(deployment: ModelDeployment): Promise<LoadedModel> {
  const bytes = await readModel(deployment);
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(bytes, sessionOptions(deployment.provider));
  } catch (cause) {
    throw new MusterError(
      "model.load-failed",
      `${labelOf(deployment)} cannot be loaded on ${deployment.provider}: ${reasonOf(cause)}`,
      { cause },
    );
  }
  const inputs = session.inputMetadata.map((metadata) => specOf(deployment, metadata));
  const outputs = session.outputMetadata.map((metadata) => specOf(deployment, metadata));
  return { deployment, inputs, outputs, run: (values, names) => runSession(session, outputs, values, names) };
}

async function readModel(deployment: ModelDeployment): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(deployment.modelPath);
  } catch (cause) {
    throw new MusterError("artifact.corrupted", `${labelOf(deployment)} cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
  const digest = sha256(bytes);
  if (digest !== deployment.digest)
    throw new MusterError(
      "artifact.corrupted",
      `${labelOf(deployment)} has digest ${digest}; signed is ${deployment.digest}.`,
    );
  return bytes;
}

const labelOf = ({ name, version, variant }: ModelDeployment): string =>
  `Model ${name} ${version} (${variant})`;

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
