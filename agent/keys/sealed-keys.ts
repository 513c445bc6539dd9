import type { ModelDeployment } from "../inference/deployment.ts";
import { type InstalledRelease, modelsIn } from "../update/installed.ts";
import { choiceOf } from "../update/release-files.ts";

/** Keys that these models need as they would run here, with what stands in for them. */
export const keysOfDeployments = (models: readonly ModelDeployment[]): string[] => [
  ...new Set(
    models.flatMap(({ sealed, alternatives = [], standIn }) => [
      ...(sealed && !standIn ? [sealed.key] : []),
      ...keysOfDeployments(alternatives),
    ]),
  ),
];

/** Keys that this box may need of a release: those of every variant that it has on its disk. */
export function keysOfInstalled(release: InstalledRelease): string[] {
  const keys = modelsIn(release.manifest).flatMap((component) => {
    const { candidates, cascade, chosen } = choiceOf(release, component);
    const here = new Set([chosen, ...candidates, ...cascade].map(({ variant }) => variant));
    return component.variants.flatMap(({ id, sealed }) => (sealed && here.has(id) ? [sealed.key] : []));
  });
  return [...new Set(keys)];
}
