import type { InferRequest } from "./infer-request.ts";
import type { LoadedModel } from "./model.ts";
import { encodeBinaryData } from "./tensors/binary.ts";
import type { TensorValue } from "./tensors/datatypes.ts";
import { encodeJsonData } from "./tensors/json.ts";

export interface InferResponse {
  readonly json: string;
  /** Binary data of the outputs in order; empty when all are in the JSON part. */
  readonly blobs: readonly Uint8Array[];
}

/**
 * The response to a request, with its JSON part written by hand so that 64-bit integers keep their digits.
 * @throws MusterError when an output that is asked for in JSON cannot be written in it
 */
export function encodeInferResponse(
  model: LoadedModel,
  request: InferRequest,
  outputs: readonly TensorValue[],
): InferResponse {
  const blobs: Uint8Array[] = [];
  const tensors = outputs.map(({ name, datatype, shape, data }, index) => {
    const head = `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]`;
    if (!request.outputs[index]!.binary) return `{${head},"data":${encodeJsonData(name, datatype, data)}}`;
    const blob = encodeBinaryData(data);
    blobs.push(blob);
    return `{${head},"parameters":{"binary_data_size":${blob.byteLength}}}`;
  });
  const { name, version } = model.deployment;
  const head = JSON.stringify({
    model_name: name,
    model_version: version,
    ...(request.id === undefined ? {} : { id: request.id }),
    ...(request.durable ? { parameters: { muster_durable: true } } : {}),
  });
  return { json: `${head.slice(0, -1)},"outputs":[${tensors.join(",")}]}`, blobs };
}
