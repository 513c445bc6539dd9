import { jsonAnswer } from "../http.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route } from "./route.ts";

/** The runner listens only when all its models are loaded and proven, so what answers is ready. */
const modelReady: Handler = (service, _request, parameters) => {
  const { name } = findModel(service, parameters).deployment;
  return jsonAnswer(200, { name, ready: true });
};

export const healthRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/health/live", handle: () => jsonAnswer(200, { live: true }) },
  { method: "GET", path: "/v2/health/ready", handle: () => jsonAnswer(200, { ready: true }) },
  { method: "GET", path: "/v2/models/:model/ready", handle: modelReady },
  { method: "GET", path: "/v2/models/:model/versions/:version/ready", handle: modelReady },
];
