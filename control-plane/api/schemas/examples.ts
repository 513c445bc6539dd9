import { ExampleHeader } from "@muster/shared/protocol/example";
import { Count, DeviceId, Digest, Millis, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, oneOf, orNull } from "./common.ts";

const example = {
  digest: Digest,
  device: DeviceId,
  site: Type.String(),
  /** Digest of the release that computed it. */
  release: Digest,
  model: Type.String(),
  variant: Type.String(),
  at: Millis,
  receivedAt: Millis,
  /** Highest score of the first output. */
  confidence: Type.Number(),
  label: orNull(Type.String()),
  keep: oneOf("inputs", "summary"),
  size: Count,
};
const ExampleLine = Type.Object(example, closed);
export type ExampleLine = Static<typeof ExampleLine>;

/** Newest first. */
export const ExampleList = Type.Object({ examples: Type.Array(ExampleLine) }, closed);
export type ExampleList = Static<typeof ExampleList>;

export const ExampleResource = Type.Object({ ...example, header: ExampleHeader }, closed);
export type ExampleResource = Static<typeof ExampleResource>;

export const ExampleQuery = Type.Object(
  {
    device: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** A site and everything below it. */
    site: Type.Optional(SitePath),
    /** `NAME@VERSION` or digest. */
    release: Type.Optional(Type.String({ minLength: 1, maxLength: 160 })),
    model: Type.Optional(Type.String({ maxLength: 63 })),
    /** Received before this moment. */
    before: Type.Optional(Millis),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  closed,
);

/** The digest, or its beginning. */
export const exampleParams = Type.Object({ hex: Type.String({ pattern: "^[0-9a-f]{8,64}$" }) }, closed);
