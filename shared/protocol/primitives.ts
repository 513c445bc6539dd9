import { type Static, type TSchema, Type } from "typebox";

/** Protocol version carried by every message as `v`. A receiver refuses any other value. */
export const PROTOCOL_VERSION = 1;

/** `sha256:` and 64 lower-case hex digits. */
export const Digest = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });
export type Digest = `sha256:${string}`;

/** Device id: `d` and the first 20 base32 characters of the SHA-256 of its TLS public key (SPKI). */
export const DeviceId = Type.String({ pattern: "^d[a-z2-7]{20}$" });

/** Lower-case words joined by `-`, at most 63 characters: names of releases, components and variants. */
export const Name = Type.String({ pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" });

/** Site path of up to 8 names, e.g. `eu/de/berlin-3`. */
export const SitePath = Type.String({
  pattern: "^[a-z0-9]([a-z0-9-]{0,62})(/[a-z0-9]([a-z0-9-]{0,62})){0,7}$",
});

/** Version label, e.g. `1.4.0` or `2026.11.22-rc.1`. Order comes from `sequence`, never from this text. */
export const Version = Type.String({ pattern: "^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$" });

/** Milliseconds since the Unix epoch, by the sender's clock. */
export const Millis = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 });

/** Non-negative integer that JSON carries without loss. */
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Random identifier, 16 to 64 URL-safe characters. */
export const Id = Type.String({ pattern: "^[A-Za-z0-9_-]{8,64}$" });

export const LabelKey = Type.String({ pattern: "^[a-z0-9]([a-z0-9./-]{0,61}[a-z0-9])?$" });
export const LabelValue = Type.String({ maxLength: 63, pattern: "^[A-Za-z0-9._-]*$" });

/** At most 32 labels; a key of another shape is refused. */
export const Labels = Type.Record(LabelKey, LabelValue, { maxProperties: 32, additionalProperties: false });
export type Labels = Static<typeof Labels>;

/** `T` or null. */
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** Names a release exactly: two releases with the same digest are the same release. */
export const ReleaseRef = Type.Object(
  { name: Name, version: Version, sequence: Type.Integer({ minimum: 1 }), digest: Digest },
  { additionalProperties: false },
);
export type ReleaseRef = Static<typeof ReleaseRef>;

/** A failure as it travels: a code of the error catalogue and a plain sentence. */
export const Failure = Type.Object(
  { code: Type.String({ maxLength: 64 }), message: Type.String({ maxLength: 1000 }) },
  { additionalProperties: false },
);
export type Failure = Static<typeof Failure>;
