import type { ModelDeployment } from "../../inference/deployment.ts";
import type { LoadedModel } from "../model.ts";
import { type LoadedRung, loadRungs, type Served } from "./rungs.ts";

/** What lower rungs compute with, and the rungs of each model that has a cascade. */
export interface LoadedCascades {
  /** Loaded for cascades alone. */
  readonly alternatives: readonly LoadedModel[];
  readonly rungs: ReadonlyMap<LoadedModel, readonly LoadedRung[]>;
}

/**
 * Loads the alternatives of the served models beside them, each once, and makes their rungs ready.
 * @throws MusterError `model.load-failed` when a rung does not fit its model, or what `load` throws
 */
export async function loadCascades(
  served: Served,
  load: (deployment: ModelDeployment) => Promise<LoadedModel>,
): Promise<LoadedCascades> {
  const byBuild = new Map<string, LoadedModel>();
  const loaded = new Map<ModelDeployment, LoadedModel>();
  for (const { deployment } of served.all) {
    for (const alternative of deployment.alternatives ?? []) {
      const { name, variant, digest, provider } = alternative;
      const build = JSON.stringify([name, variant, digest, provider]);
      const model = byBuild.get(build) ?? (await load(alternative));
      byBuild.set(build, model);
      loaded.set(alternative, model);
    }
  }
  const rungs = new Map<LoadedModel, readonly LoadedRung[]>();
  for (const model of served.all) rungs.set(model, loadRungs(model, { loaded, served }));
  return { alternatives: [...byBuild.values()], rungs };
}
