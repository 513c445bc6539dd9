import type { IncomingMessage } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { jsonAnswer } from "../http.ts";
import { readJson } from "../tensors/json-text.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route, Service } from "./route.ts";

/** `ready` of an index request; its body may be empty. @throws MusterError `request.invalid` */
function onlyReady(body: Buffer, service: Service): boolean {
  if (body.length === 0) return false;
  const asked = readJson(body, service.limits.jsonDepth) as { ready?: unknown } | null;
  const ready = asked?.ready ?? false;
  if (typeof asked !== "object" || asked === null || typeof ready !== "boolean")
    throw new MusterError("request.invalid", 'The index takes {} or {"ready": true}.');
  return ready;
}

const STATES = { ready: "READY", starting: "LOADING", failed: "UNAVAILABLE" } as const;

/** All that is served on this box in the release's order; before the supervisor told of it, what is served here. */
function listed({ models, siblings }: Service) {
  if (siblings.standings.length === 0)
    return models.all.map(({ deployment: { name, version } }) => ({
      name,
      version,
      state: STATES.ready,
      reason: "",
    }));
  return siblings.standings.map(({ name, version, state, reason }) =>
    models.find(name, version)
      ? { name, version, state: STATES.ready, reason: "" }
      : { name, version, state: STATES[state], reason },
  );
}

const index: Handler = (service, request: IncomingMessage) =>
  service.bodies.use(request, async (body) => {
    const ready = onlyReady(body, service);
    return jsonAnswer(
      200,
      listed(service).filter(({ state }) => !ready || state === "READY"),
    );
  });

const change: Handler = (service, _request, parameters) => {
  if (!service.siblings.find(parameters.model!)) findModel(service, parameters);
  throw new MusterError(
    "inference.unsupported",
    "Signed releases decide what is loaded here, not this call.",
  );
};

/** Extension `model_repository`: the index answers, loading and unloading is for releases alone. */
export const repositoryRoutes: readonly Route[] = [
  { method: "POST", path: "/v2/repository/index", handle: index },
  { method: "POST", path: "/v2/repository/models/:model/load", handle: change, anyRunner: true },
  { method: "POST", path: "/v2/repository/models/:model/unload", handle: change, anyRunner: true },
];
