import type { Inferred } from "../infer.ts";
import type { InferRequest } from "../infer-request.ts";
import { givenOutput, responseParameters } from "../infer-response.ts";
import type { LoadedModel } from "../model.ts";
import { encodeBinaryData } from "../tensors/binary.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import type { InferResponseMessage, ParameterMap, TensorContents } from "./messages.ts";
import { CONTENTS } from "./request.ts";

/** The answer as a message: all outputs raw where one is asked for in binary, else each in its own list. */
export function messageOf(
  model: LoadedModel,
  request: InferRequest,
  { values, degraded }: Pick<Inferred, "values" | "degraded">,
): InferResponseMessage {
  const outputs = values.map((value, index) => givenOutput(model, request.outputs[index]!, value));
  const raw = request.outputs.some(({ binary }) => binary);
  const { name, version } = model.deployment;
  return {
    model_name: name,
    model_version: version,
    id: request.id ?? "",
    parameters: parameterMap(responseParameters(request, degraded) ?? {}),
    outputs: outputs.map((output) => ({
      name: output.name,
      datatype: output.datatype,
      shape: output.shape,
      ...(raw ? {} : { contents: contentsOf(output) }),
    })),
    raw_output_contents: raw ? outputs.map(({ data }) => encodeBinaryData(data)) : [],
  };
}

export const parameterMap = (parameters: Record<string, string | boolean>): ParameterMap =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      typeof value === "boolean" ? { bool_param: value } : { string_param: value },
    ]),
  );

/** The list of its datatype; not for FP16. */
export function contentsOf({ datatype, data }: TensorValue): TensorContents {
  const list = CONTENTS[datatype]!;
  if (list === "bytes_contents") return { [list]: (data as string[]).map((text) => Buffer.from(text)) };
  if (list === "bool_contents") return { [list]: Array.from(data as Uint8Array, (value) => value !== 0) };
  if (list === "int64_contents" || list === "uint64_contents") return { [list]: Array.from(data, String) };
  return { [list]: Array.from(data as Float32Array) };
}
