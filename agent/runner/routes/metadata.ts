import { jsonAnswer } from "../http.ts";
import type { LoadedModel } from "../model.ts";
import type { TensorSpec } from "../tensors/datatypes.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route, Service } from "./route.ts";

const EXTENSIONS = [
  "binary_tensor_data",
  "classification",
  "model_configuration",
  "model_repository",
  "schedule_policy",
  "statistics",
];

export const describeServer = ({ agentVersion }: Service) => ({
  name: "muster",
  version: agentVersion,
  extensions: EXTENSIONS,
});

/** A dimension that may have any size is -1. */
const describeTensor = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  datatype,
  shape: shape.map((size) => (typeof size === "number" ? size : -1)),
});

export function describeModel({ models, siblings }: Service, { deployment, inputs, outputs }: LoadedModel) {
  const { name } = deployment;
  const told = siblings.standings.filter((standing) => standing.name === name).map(({ version }) => version);
  return {
    name,
    versions: told.length > 0 ? told : models.versionsOf(name),
    platform: "onnxruntime_onnx",
    inputs: inputs.map(describeTensor),
    outputs: outputs.map(describeTensor),
  };
}

const modelMetadata: Handler = (service, _request, parameters) =>
  jsonAnswer(200, describeModel(service, findModel(service, parameters)));

export const metadataRoutes: readonly Route[] = [
  { method: "GET", path: "/v2", handle: (service) => jsonAnswer(200, describeServer(service)) },
  { method: "GET", path: "/v2/models/:model", handle: modelMetadata },
  { method: "GET", path: "/v2/models/:model/versions/:version", handle: modelMetadata },
];
