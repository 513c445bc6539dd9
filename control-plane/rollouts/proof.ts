import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";

/**
 * True when the device proves to run this release: its digest, and every component as the manifest has it with nothing
 * in its place.
 */
export function provesRelease(
  manifest: ReleaseManifest,
  digest: string,
  reported: ReportedState | null,
): boolean {
  if (reported?.running?.digest !== digest) return false;
  const hasModels = manifest.components.some(({ type }) => type === "model");
  if (hasModels ? reported.runner !== "ready" : reported.runner === "failed") return false;
  return (
    reported.components.length === manifest.components.length &&
    manifest.components.every((component) => {
      const running = reported.components.find(
        ({ type, name, version }) =>
          type === component.type && name === component.name && version === component.version,
      );
      return running !== undefined && running.degraded === undefined && isBuildOf(component, running);
    })
  );
}

/** Which of its variants a device runs is its own choice. */
function isBuildOf(component: ReleaseManifest["components"][number], running: RunningComponent): boolean {
  if (component.type === "config") return running.digest === component.document.digest;
  return component.variants.some(
    ({ id, model }) => id === running.variant && model.digest === running.digest,
  );
}
