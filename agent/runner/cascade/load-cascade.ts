import type { ModelDeployment } from "../../inference/deployment.ts";
import type { LoadedModel } from "../model.ts";
import { type LoadedRung, loadRungs, type Served } from "./rungs.ts";

/** What lower rungs compute with, and the rungs of each model that has a cascade. */
export interface LoadedCascades {
  /** Loaded for cascades alone. */
  readonly alternatives: readonly LoadedModel[];
  readonly rungs: ReadonlyMap<LoadedModel, readonly LoadedRung[]>;
}

const buildOf = ({ name, variant, digest, provider }: ModelDeployment): string =>
  JSON.stringify([name, variant, digest, provider]);

/**
 * Loads the alternatives of the served models beside them, each once and none that is served anyway, and makes their
 * rungs ready.
 * @throws MusterError `model.load-failed` when a rung does not fit its model, or what `load` throws
 */
export async function loadCascades(
  served: Served,
  load: (deployment: ModelDeployment) => Promise<LoadedModel>,
): Promise<LoadedCascades> {
  const running = new Map<string, LoadedModel>();
  for (const model of served.all)
    if (!model.deployment.standIn) running.set(buildOf(model.deployment), model);
  const byBuild = new Map<string, LoadedModel>();
  const loaded = new Map<ModelDeployment, LoadedModel>();
  for (const { deployment } of served.all) {
    for (const alternative of deployment.alternatives ?? []) {
      const build = buildOf(alternative);
      const shared = running.get(build);
      const model = shared ?? byBuild.get(build) ?? (await load(alternative));
      if (!shared) byBuild.set(build, model);
      loaded.set(alternative, model);
    }
  }
  const rungs = new Map<LoadedModel, readonly LoadedRung[]>();
  for (const model of served.all) rungs.set(model, loadRungs(model, { loaded, served }));
  return { alternatives: [...byBuild.values()], rungs };
}
