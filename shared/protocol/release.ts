import { type Static, Type } from "typebox";
import { Digest, Name, Version } from "./primitives.ts";
import { Serving } from "./serving/serving.ts";

/** A file in the content-addressed store. `size` in bytes. */
export const Artifact = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" }),
    digest: Digest,
    size: Type.Integer({ minimum: 1, maximum: 4 * 1024 ** 3 }),
  },
  { additionalProperties: false },
);
export type Artifact = Static<typeof Artifact>;

/** What a device must have to run a variant. An absent field asks for nothing. */
export const Requirements = Type.Object(
  {
    /** Any one of these execution providers, best first. */
    providers: Type.Array(Name, { minItems: 1, maxItems: 8 }),
    arch: Type.Optional(Type.Array(Type.String({ maxLength: 16 }), { minItems: 1, maxItems: 8 })),
    hardwareClasses: Type.Optional(Type.Array(Name, { minItems: 1, maxItems: 64 })),
    minMemoryMiB: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Highest opset of the default domain that the model uses. */
    opset: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    /**
     * Smallest share of the graph's nodes, 0 to 1, that must run on the provider rather than on the CPU; default 1.
     * A device proves it before the variant serves.
     */
    minPlacement: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  { additionalProperties: false },
);
export type Requirements = Static<typeof Requirements>;

/** Names a key with which models are sealed, and says nothing of it. */
export const SealKeyId = Type.String({ pattern: "^[0-9a-f]{32}$" });

/** A model file that is encrypted: `model` is the sealed file, this is what opens out of it. */
const Sealed = Type.Object(
  { key: SealKeyId, digest: Digest, size: Type.Integer({ minimum: 1, maximum: 4 * 1024 ** 3 }) },
  { additionalProperties: false },
);
export type Sealed = Static<typeof Sealed>;

/** One build of a model. `golden` and `reference` are JSON files of the shapes in `model-evidence.ts`. */
export const ModelVariant = Type.Object(
  {
    id: Name,
    precision: Type.Union([
      Type.Literal("fp32"),
      Type.Literal("fp16"),
      Type.Literal("int8"),
      Type.Literal("int4"),
    ]),
    requires: Requirements,
    model: Artifact,
    /** Absent: the file is the model as it is. */
    sealed: Type.Optional(Sealed),
    golden: Artifact,
    reference: Artifact,
  },
  { additionalProperties: false },
);
export type ModelVariant = Static<typeof ModelVariant>;

/** A model with its variants in order of preference: a device takes the first that it can run. */
export const ModelComponent = Type.Object(
  {
    type: Type.Literal("model"),
    name: Name,
    version: Version,
    /** Class names by index of the last dimension of the first output. */
    labels: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 4096 })),
    variants: Type.Array(ModelVariant, { minItems: 1, maxItems: 32 }),
    serving: Type.Optional(Serving),
  },
  { additionalProperties: false },
);
export type ModelComponent = Static<typeof ModelComponent>;

/** A JSON document that applications on the box read from `current/config/<name>.json`. */
export const ConfigComponent = Type.Object(
  { type: Type.Literal("config"), name: Name, version: Version, document: Artifact },
  { additionalProperties: false },
);
export type ConfigComponent = Static<typeof ConfigComponent>;

export const Component = Type.Union([ModelComponent, ConfigComponent]);
export type Component = Static<typeof Component>;

/** When a release on probation may be committed, and when it must be rolled back. */
export const ProbationRule = Type.Object(
  {
    /** Shortest time between activation and commit, seconds. */
    minSeconds: Type.Integer({ minimum: 0, maximum: 7 * 86_400 }),
    /** Without enough inferences by then the release is rolled back, seconds. */
    deadlineSeconds: Type.Integer({ minimum: 1, maximum: 30 * 86_400 }),
    /** Inferences of live traffic that must be seen; 0 commits on golden inputs alone. */
    minInferences: Type.Integer({ minimum: 0 }),
    /** Share of failed inferences above which the release is rolled back, 0 to 1. */
    maxErrorRate: Type.Number({ minimum: 0, maximum: 1 }),
    /** 95th percentile of inference time above which the release is rolled back, milliseconds. */
    maxP95Ms: Type.Number({ exclusiveMinimum: 0 }),
    /** Runner crashes during probation above which the release is rolled back. */
    maxCrashes: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type ProbationRule = Static<typeof ProbationRule>;

/**
 * The immutable, signed description of a release: a TUF target named `releases/<name>/<version>.json`,
 * stored as canonical JSON. Its digest names the release everywhere.
 */
export const ReleaseManifest = Type.Object(
  {
    schema: Type.Literal("muster.release/1"),
    name: Name,
    version: Version,
    /** Grows by one with each release of this name; floors are compared with it. */
    sequence: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    description: Type.Optional(Type.String({ maxLength: 2000 })),
    components: Type.Array(Component, { minItems: 1, maxItems: 32 }),
    probation: ProbationRule,
  },
  { additionalProperties: false },
);
export type ReleaseManifest = Static<typeof ReleaseManifest>;

/** TUF target path of a release manifest. */
export const releaseTarget = (name: string, version: string): string => `releases/${name}/${version}.json`;

/** Every artifact that some device may need for this release, each digest once. */
export function artifactsOf(manifest: ReleaseManifest): Artifact[] {
  const all = manifest.components.flatMap((component) =>
    component.type === "model"
      ? component.variants.flatMap((variant) => [variant.model, variant.golden, variant.reference])
      : [component.document],
  );
  return [...new Map(all.map((artifact) => [artifact.digest, artifact])).values()];
}

/** Keys that some device may need for this release, each once. */
export const keysOf = (manifest: ReleaseManifest): string[] => [
  ...new Set(
    manifest.components.flatMap((component) =>
      component.type === "model" ? component.variants.flatMap(({ sealed }) => sealed?.key ?? []) : [],
    ),
  ),
];
