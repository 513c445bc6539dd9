import { isMusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { chooseVariant } from "@muster/shared/protocol/variants";

/** Bytes that a box with this hardware downloads for a release; 0 where no variant runs on it. */
export function downloadSize(manifest: ReleaseManifest, hardware: HardwareFacts): number {
  let bytes = 0;
  for (const component of manifest.components) {
    if (component.type === "config") {
      bytes += component.document.size;
      continue;
    }
    try {
      const { model, golden, reference } = chooseVariant(component, hardware).variant;
      bytes += model.size + golden.size + reference.size;
    } catch (error) {
      if (!isMusterError(error, "release.no-variant")) throw error;
    }
  }
  return bytes;
}
