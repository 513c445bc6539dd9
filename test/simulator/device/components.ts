import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { RunningComponent } from "@muster/shared/protocol/state";
import { plannedVariants } from "@muster/shared/protocol/variants";

/**
 * What runs on this hardware once a release is active.
 * @throws MusterError `release.no-variant`
 */
export const componentsOf = (manifest: ReleaseManifest, facts: HardwareFacts): RunningComponent[] =>
  manifest.components.map((component) => {
    const { name, version } = component;
    if (component.type === "config")
      return { type: "config", name, version, digest: component.document.digest };
    const [chosen] = plannedVariants(component, facts).candidates;
    const { variant, provider } = chosen!;
    return { type: "model", name, version, digest: variant.model.digest, variant: variant.id, provider };
  });
