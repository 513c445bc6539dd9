import { MusterError } from "@muster/shared/errors";
import type { Deployment, ModelDeployment } from "./deployment.ts";

/** Models that share a runner process: those of one group on one execution provider. */
export interface RunnerGroup {
  /** `<group>-<provider>`, unique in its release. */
  readonly id: string;
  readonly models: readonly ModelDeployment[];
}

/** Group of models whose release names none. */
const DEFAULT_GROUP = "default";

/**
 * The runners that a release needs, in the order of their first models.
 * @throws MusterError `model.load-failed` for two models of the same name and version
 */
export function groupsOf({ models }: Deployment): RunnerGroup[] {
  const groups = new Map<string, { id: string; models: ModelDeployment[] }>();
  const named = new Set<string>();
  for (const model of models) {
    const { name, version, provider, serving } = model;
    if (named.has(`${name} ${version}`))
      throw new MusterError("model.load-failed", `The release has two models ${name} ${version}.`);
    named.add(`${name} ${version}`);
    const group = serving?.group ?? DEFAULT_GROUP;
    const key = `${group} ${provider}`;
    const known = groups.get(key);
    if (known) known.models.push(model);
    else groups.set(key, { id: unusedId(`${group}-${provider}`, groups), models: [model] });
  }
  return [...groups.values()];
}

/** Group `a` on provider `b-c` and group `a-b` on `c` would have the same id. */
function unusedId(wanted: string, groups: ReadonlyMap<string, { id: string }>): string {
  const taken = new Set([...groups.values()].map(({ id }) => id));
  let id = wanted;
  for (let count = 2; taken.has(id); count++) id = `${wanted}-${count}`;
  return id;
}
