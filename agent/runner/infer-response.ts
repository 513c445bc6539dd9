import { classesOf } from "./classes.ts";
import type { Degraded } from "./infer.ts";
import type { InferRequest, RequestedOutput } from "./infer-request.ts";
import type { LoadedModel } from "./model.ts";
import { encodeBinaryData } from "./tensors/binary.ts";
import type { TensorValue } from "./tensors/datatypes.ts";
import { encodeJsonData } from "./tensors/json.ts";

export interface InferResponse {
  readonly json: string;
  /** Binary data of the outputs in order; empty when all are in the JSON part. */
  readonly blobs: readonly Uint8Array[];
}

/** Parameters of a response: what was done otherwise than asked for, and what was promised. */
export function responseParameters(
  request: InferRequest,
  degraded: Degraded | undefined,
): Record<string, string | boolean> | undefined {
  if (!request.durable && !degraded) return undefined;
  return {
    ...(request.durable && { muster_durable: true }),
    ...(degraded && { muster_rung: degraded.rung, muster_reason: degraded.reason }),
  };
}

/** What is given for an output: the tensor, or its classes where the request asks for them. */
export const givenOutput = (model: LoadedModel, asked: RequestedOutput, output: TensorValue): TensorValue =>
  asked.classes === undefined
    ? output
    : classesOf(
        output,
        asked.classes,
        output.name === model.outputs[0]!.name ? model.deployment.labels : undefined,
      );

/**
 * The response to a request, with its JSON part written by hand so that 64-bit integers keep their digits.
 * @throws MusterError when an output that is asked for in JSON cannot be written in it
 */
export function encodeInferResponse(
  model: LoadedModel,
  request: InferRequest,
  values: readonly TensorValue[],
  degraded?: Degraded,
): InferResponse {
  const blobs: Uint8Array[] = [];
  let tensors = "";
  for (let index = 0; index < values.length; index++) {
    const asked = request.outputs[index]!;
    const output = givenOutput(model, asked, values[index]!);
    const { name, datatype, shape, data } = output;
    if (index > 0) tensors += ",";
    tensors += `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}],`;
    if (asked.binary) {
      const blob = encodeBinaryData(data);
      blobs.push(blob);
      tensors += `"parameters":{"binary_data_size":${blob.byteLength}}}`;
    } else {
      tensors += `"data":${encodeJsonData(name, datatype, data)}}`;
    }
  }
  const { name, version } = model.deployment;
  const id = request.id === undefined ? "" : `,"id":${JSON.stringify(request.id)}`;
  const parameters = responseParameters(request, degraded);
  const told = parameters ? `,"parameters":${JSON.stringify(parameters)}` : "";
  const head = `"model_name":${JSON.stringify(name)},"model_version":${JSON.stringify(version)}${id}${told}`;
  return { json: `{${head},"outputs":[${tensors}]}`, blobs };
}
