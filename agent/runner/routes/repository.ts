import { MusterError } from "@muster/shared/errors";
import { jsonAnswer } from "../http.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route } from "./route.ts";

const index: Handler = (service) =>
  jsonAnswer(
    200,
    [...service.models.values()].map(({ deployment: { name, version } }) => ({
      name,
      version,
      state: "READY",
      reason: "",
    })),
  );

const change: Handler = (service, _request, parameters) => {
  findModel(service, parameters);
  throw new MusterError(
    "inference.unsupported",
    "Signed releases decide what is loaded here, not this call.",
  );
};

/** Extension `model_repository`: the index answers, loading and unloading is for releases alone. */
export const repositoryRoutes: readonly Route[] = [
  { method: "POST", path: "/v2/repository/index", handle: index },
  { method: "POST", path: "/v2/repository/models/:model/load", handle: change },
  { method: "POST", path: "/v2/repository/models/:model/unload", handle: change },
];
