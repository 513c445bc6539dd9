import { jsonAnswer } from "../http.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route } from "./route.ts";

/** The protocol wants a status of the 4xx family for what is not ready. */
const readiness = (ready: boolean, more: object = {}) => jsonAnswer(ready ? 200 : 400, { ...more, ready });

/** The runner listens only when all its models are loaded and proven: what it serves itself is ready. */
const modelReady: Handler = (service, _request, parameters) => {
  const sibling = service.siblings.find(parameters.model!, parameters.version);
  if (sibling) return readiness(sibling.state === "ready", { name: sibling.name });
  return readiness(true, { name: findModel(service, parameters).deployment.name });
};

export const healthRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/health/live", handle: () => jsonAnswer(200, { live: true }) },
  { method: "GET", path: "/v2/health/ready", handle: ({ siblings }) => readiness(siblings.ready) },
  { method: "GET", path: "/v2/models/:model/ready", handle: modelReady, anyRunner: true },
  { method: "GET", path: "/v2/models/:model/versions/:version/ready", handle: modelReady, anyRunner: true },
];
