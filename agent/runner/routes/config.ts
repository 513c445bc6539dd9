import { jsonAnswer } from "../http.ts";
import type { LoadedModel } from "../model.ts";
import type { Datatype, TensorSpec } from "../tensors/datatypes.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route, Service } from "./route.ts";

/** Names that the model configuration of Triton has for datatypes. */
const typeName = (datatype: Datatype): string => `TYPE_${datatype === "BYTES" ? "STRING" : datatype}`;

/** Inputs and outputs are rows when the first of several dimensions varies in each of them. */
const takesBatches = ({ inputs, outputs }: LoadedModel): boolean =>
  [...inputs, ...outputs].every(({ shape }) => shape.length > 1 && typeof shape[0] === "string");

/**
 * The configuration in the form of the model configuration extension, as far as a load generator reads it. With
 * batches, dimensions are those of one row.
 */
function configOf(model: LoadedModel, mostRows: number) {
  const { name, provider, serving } = model.deployment;
  const batched = takesBatches(model);
  const tensor = ({ name, datatype, shape }: TensorSpec) => ({
    name,
    data_type: typeName(datatype),
    dims: (batched ? shape.slice(1) : shape).map((size) => (typeof size === "number" ? size : -1)),
  });
  const rows = Math.min(serving?.batching?.maxBatch ?? mostRows, mostRows);
  return {
    name,
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { all: {} },
    max_batch_size: batched ? rows : 0,
    input: model.inputs.map(tensor),
    output: model.outputs.map(tensor),
    instance_group: [{ name, kind: provider === "cpu" ? "KIND_CPU" : "KIND_GPU", count: 1 }],
    ...(batched && rows > 1
      ? {
          dynamic_batching: {
            max_queue_delay_microseconds: Math.round((serving?.batching?.maxDelayMs ?? 0) * 1000),
            priority_levels: 3,
            default_priority_level: 2,
          },
        }
      : {}),
    response_cache: { enable: false },
  };
}

const config: Handler = (service: Service, _request, parameters) =>
  jsonAnswer(200, configOf(findModel(service, parameters), service.limits.rows));

/** Extension `model_configuration`. */
export const configRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/models/:model/config", handle: config },
  { method: "GET", path: "/v2/models/:model/versions/:version/config", handle: config },
];
