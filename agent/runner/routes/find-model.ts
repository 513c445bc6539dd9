import { MusterError } from "@muster/shared/errors";
import type { LoadedModel } from "../model.ts";
import type { PathParameters, Service } from "./route.ts";

/** The model that a path names. @throws MusterError `model.not-found` */
export function findModel({ models }: Service, { model = "", version }: PathParameters): LoadedModel {
  const found = models.find(model, version);
  if (found) return found;
  const versions = models.versionsOf(model);
  throw new MusterError(
    "model.not-found",
    versions.length === 0
      ? `There is no model '${model}' here.`
      : `Model '${model}' has no version '${version}' here; it has '${versions.join("', '")}'.`,
  );
}
