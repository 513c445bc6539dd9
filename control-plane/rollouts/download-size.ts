import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Artifact, ReleaseManifest } from "@muster/shared/protocol/release";
import { plannedVariants } from "@muster/shared/protocol/variants";

/**
 * Bytes that a box with this hardware downloads for a release, with every variant that it measures before it chooses;
 * 0 where no variant runs on it.
 */
export function downloadSize(manifest: ReleaseManifest, hardware: HardwareFacts): number {
  const artifacts = manifest.components.flatMap((component) => artifactsFor(component, hardware));
  const distinct = new Map(artifacts.map(({ digest, size }) => [digest, size]));
  return [...distinct.values()].reduce((sum, size) => sum + size, 0);
}

function artifactsFor(component: ReleaseManifest["components"][number], hardware: HardwareFacts): Artifact[] {
  if (component.type === "config") return [component.document];
  try {
    const { candidates, cascade } = plannedVariants(component, hardware);
    return [...candidates, ...cascade].flatMap(({ variant: { model, golden, reference } }) => [
      model,
      golden,
      reference,
    ]);
  } catch (error) {
    if (!isMusterError(error, "release.no-variant")) throw error;
    return [];
  }
}
