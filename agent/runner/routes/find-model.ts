import { MusterError } from "@muster/shared/errors";
import type { LoadedModel } from "../model.ts";
import type { Service } from "./route.ts";

/** The model that a path names. @throws MusterError `model.not-found` */
export function findModel(
  service: Service,
  { model, version }: Readonly<Record<string, string>>,
): LoadedModel {
  const found = service.models.get(model ?? "");
  if (!found) throw new MusterError("model.not-found", `There is no model '${model}' here.`);
  if (version !== undefined && found.deployment.version !== version)
    throw new MusterError(
      "model.not-found",
      `Model '${model}' has no version '${version}' here; it has '${found.deployment.version}'.`,
    );
  return found;
}
