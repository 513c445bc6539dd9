import { jsonAnswer } from "../http.ts";
import type { TensorSpec } from "../tensors/datatypes.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route } from "./route.ts";

const EXTENSIONS = ["binary_tensor_data", "model_repository"];

const serverMetadata: Handler = (service) =>
  jsonAnswer(200, { name: "muster", version: service.agentVersion, extensions: EXTENSIONS });

/** A dimension that may have any size is -1. */
const describe = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  datatype,
  shape: shape.map((size) => (typeof size === "number" ? size : -1)),
});

const modelMetadata: Handler = (service, _request, parameters) => {
  const { deployment, inputs, outputs } = findModel(service, parameters);
  return jsonAnswer(200, {
    name: deployment.name,
    versions: [deployment.version],
    platform: "onnxruntime_onnx",
    inputs: inputs.map(describe),
    outputs: outputs.map(describe),
  });
};

export const metadataRoutes: readonly Route[] = [
  { method: "GET", path: "/v2", handle: serverMetadata },
  { method: "GET", path: "/v2/models/:model", handle: modelMetadata },
  { method: "GET", path: "/v2/models/:model/versions/:version", handle: modelMetadata },
];
