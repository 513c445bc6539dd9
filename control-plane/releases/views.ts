import { ReleaseManifest, type Requirements } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import type { QuarantinesTable, ReleasesTable } from "../storage/tables/releases.ts";

interface VariantView {
  id: string;
  precision: string;
  requires: Requirements;
  /** Size of the model file, bytes. */
  size: number;
  /** Key that the model file is sealed with; null for one that lies open. */
  sealedWith: string | null;
}

interface ComponentView {
  type: "model" | "config";
  name: string;
  version: string;
  /** In order of preference; empty for a config. */
  variants: VariantView[];
  /** All of its artifacts, bytes. */
  size: number;
}

export interface ReleaseView {
  name: string;
  version: string;
  sequence: number;
  digest: string;
  description: string | null;
  components: ComponentView[];
  /** All of its artifacts, bytes. */
  size: number;
  createdAt: number;
  quarantined: { hardwareClass: string; rollout: string; reason: string; at: number }[];
}

export function releaseView(row: ReleasesTable, quarantines: readonly QuarantinesTable[]): ReleaseView {
  const manifest = parseJson(ReleaseManifest, row.manifest, "storage.broken");
  return {
    name: row.name,
    version: row.version,
    sequence: row.sequence,
    digest: row.digest,
    description: manifest.description ?? null,
    components: manifest.components.map((component) => {
      const { type, name, version } = component;
      if (component.type === "config")
        return { type, name, version, variants: [], size: component.document.size };
      const variants = component.variants.map(({ id, precision, requires, model, sealed }) => ({
        id,
        precision,
        requires,
        size: model.size,
        sealedWith: sealed?.key ?? null,
      }));
      const size = component.variants.reduce(
        (sum, variant) => sum + variant.model.size + variant.golden.size + variant.reference.size,
        0,
      );
      return { type, name, version, variants, size };
    }),
    size: row.size,
    createdAt: row.created_at,
    quarantined: quarantines.map(({ hardware_class, rollout, reason, at }) => ({
      hardwareClass: hardware_class,
      rollout,
      reason,
      at,
    })),
  };
}
