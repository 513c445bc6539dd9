import { type Static, Type } from "typebox";
import { MAX_WINDOW_INPUTS, MAX_WINDOW_NAME } from "./drift-limits.ts";
import { Count, Digest, Millis, Name, Nullable, Version } from "./primitives.ts";

const closed = { additionalProperties: false } as const;

const TensorName = Type.String({ minLength: 1, maxLength: MAX_WINDOW_NAME });

/** What was wrong with the values of an input tensor: rows, each of which holds one such value or more. */
export const InputQuality = Type.Object(
  {
    rows: Count,
    nan: Count,
    infinite: Count,
    /** Requests beyond a bound of the release's guards. */
    outOfRange: Count,
    /** All values of the row were the same. */
    constant: Count,
  },
  closed,
);
export type InputQuality = Static<typeof InputQuality>;

/** The feature that drifted most from a reference. */
const Judgement = Type.Object(
  {
    /** This window, by itself. */
    drifted: Type.Boolean(),
    /** Enough of the last windows. */
    alarm: Type.Boolean(),
    feature: Nullable(Type.String({ maxLength: 256 })),
    psi: Type.Number({ minimum: 0 }),
  },
  closed,
);

/**
 * What one variant of a model saw and said on one device in one window of time: counts over the bins of its reference
 * set, so that windows of devices, sites and the fleet add up.
 */
export const DriftWindow = Type.Object(
  {
    release: Digest,
    model: Name,
    version: Version,
    variant: Name,
    /** Digest of the reference set, which fixes the bins. */
    reference: Digest,
    from: Millis,
    to: Millis,
    /** Inferences (rows) in it. */
    samples: Count,
    /** Requests that the guards refused. */
    rejected: Count,
    /** Counts by feature, in the order of the reference's bins. */
    features: Type.Record(Type.String({ maxLength: 256 }), Type.Array(Count, { minItems: 2, maxItems: 65 }), {
      maxProperties: 64,
    }),
    /** How many independent values those of a feature are worth: neighbours resemble each other. */
    effective: Type.Record(Type.String({ maxLength: 256 }), Count, { maxProperties: 64 }),
    inputs: Type.Record(TensorName, InputQuality, { maxProperties: MAX_WINDOW_INPUTS }),
  },
  closed,
);
export type DriftWindow = Static<typeof DriftWindow>;

/** A window with the device's own judgement, as it travels. */
export const DriftBody = Type.Object(
  {
    ...DriftWindow.properties,
    /** Against the reference set of the release; null with too few samples to judge. */
    againstReference: Nullable(Judgement),
    /** Against what this device saw in its first windows of this release; null while it learns them. */
    againstBaseline: Nullable(Judgement),
  },
  closed,
);
export type DriftBody = Static<typeof DriftBody>;
