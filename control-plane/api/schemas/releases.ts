import { Count, Digest, Millis, Name, Version } from "@muster/shared/protocol/primitives";
import { Requirements, SealKeyId } from "@muster/shared/protocol/release";
import { type Static, Type } from "typebox";
import { closed, oneOf, orNull } from "./common.ts";

const Component = Type.Object(
  {
    type: oneOf("model", "config"),
    name: Name,
    version: Version,
    /** In order of preference; empty for a config. */
    variants: Type.Array(
      Type.Object(
        {
          id: Name,
          precision: Type.String(),
          requires: Requirements,
          size: Count,
          /** Key that the model file is sealed with. */
          sealedWith: orNull(SealKeyId),
        },
        closed,
      ),
    ),
    size: Count,
  },
  closed,
);

export const ReleaseResource = Type.Object(
  {
    name: Name,
    version: Version,
    sequence: Count,
    digest: Digest,
    description: orNull(Type.String()),
    components: Type.Array(Component),
    /** All artifacts, bytes. */
    size: Count,
    createdAt: Millis,
    quarantined: Type.Array(
      Type.Object(
        { hardwareClass: Type.String(), rollout: Type.String(), reason: Type.String(), at: Millis },
        closed,
      ),
    ),
  },
  closed,
);
export type ReleaseResource = Static<typeof ReleaseResource>;

export const ReleaseList = Type.Object({ releases: Type.Array(ReleaseResource) }, closed);
export type ReleaseList = Static<typeof ReleaseList>;

/** Canonical JSON of the manifest, and the signed targets metadata that lists it; both as text. */
export const NewRelease = Type.Object(
  {
    manifest: Type.String({ minLength: 2, maxLength: 1_048_576 }),
    targets: Type.String({ minLength: 2, maxLength: 2_097_152 }),
  },
  closed,
);
