import { MusterError } from "@muster/shared/errors";
import type { ReleaseManifest } from "@muster/shared/protocol/release";

/**
 * Components, and variants within a model, are told apart by name.
 * @throws MusterError `release.manifest-invalid` with the name that is there twice
 */
export function requireDistinct(manifest: ReleaseManifest): void {
  const twice = (names: string[]) => names.find((name, index) => names.indexOf(name) !== index);
  const component = twice(manifest.components.map(({ type, name }) => `${type} ${name}`));
  if (component) throw new MusterError("release.manifest-invalid", `The ${component} is there twice.`);
  for (const each of manifest.components) {
    const variant = each.type === "model" ? twice(each.variants.map(({ id }) => id)) : undefined;
    if (variant)
      throw new MusterError(
        "release.manifest-invalid",
        `The variant ${variant} of model ${each.name} is there twice.`,
      );
  }
}
