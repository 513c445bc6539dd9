import { type Static, Type } from "typebox";
import { Name, Version } from "./primitives.ts";
import { ConfigComponent, ModelComponent, ModelVariant, ReleaseManifest } from "./release.ts";

/** Path of a file beside the spec. */
const File = Type.String({ minLength: 1, maxLength: 255 });

const VariantSpec = Type.Object(
  {
    id: Name,
    precision: ModelVariant.properties.precision,
    requires: ModelVariant.properties.requires,
    model: File,
    golden: File,
    reference: File,
  },
  { additionalProperties: false },
);

const ModelSpec = Type.Object(
  {
    type: Type.Literal("model"),
    name: Name,
    version: Version,
    labels: ModelComponent.properties.labels,
    variants: Type.Array(VariantSpec, { minItems: 1, maxItems: 32 }),
    serving: ModelComponent.properties.serving,
  },
  { additionalProperties: false },
);

const ConfigSpec = Type.Object(
  { type: ConfigComponent.properties.type, name: Name, version: Version, document: File },
  { additionalProperties: false },
);

/**
 * What an operator writes and keeps in git (`release.json`): a manifest with file names in place of digests.
 * `muster release create` hashes the files, signs and uploads.
 */
export const ReleaseSpec = Type.Object(
  {
    schema: Type.Literal("muster.release-spec/1"),
    name: Name,
    version: Version,
    description: ReleaseManifest.properties.description,
    components: Type.Array(Type.Union([ModelSpec, ConfigSpec]), { minItems: 1, maxItems: 32 }),
    probation: ReleaseManifest.properties.probation,
  },
  { additionalProperties: false },
);
export type ReleaseSpec = Static<typeof ReleaseSpec>;
