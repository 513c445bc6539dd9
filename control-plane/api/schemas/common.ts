import { Count, Failure, LabelKey, LabelValue, Millis, ReleaseRef } from "@muster/shared/protocol/primitives";
import { type TSchema, Type } from "typebox";

/** An object whose members are all there is: what is not named does not leave the control plane. */
export const closed = { additionalProperties: false } as const;

/** `T` or null. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const MaybeMillis = orNull(Millis);
export const MaybeRelease = orNull(ReleaseRef);
export const MaybeFailure = orNull(Failure);

/** One of these texts. */
export const oneOf = <const T extends readonly string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: "string", enum: [...values] });

/** Changes of labels: null takes one away, those not named stay. */
export const ChangedLabels = Type.Record(LabelKey, orNull(LabelValue), {
  ...closed,
  maxProperties: 32,
});

/** Text that names a thing in a path: long enough for every id and name, too short to hurt. */
export const PathText = Type.String({ minLength: 1, maxLength: 256 });

export const LivenessCounts = Type.Object(
  { online: Count, late: Count, offline: Count, flapping: Count },
  closed,
);
