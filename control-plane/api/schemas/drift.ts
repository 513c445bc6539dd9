import { InputQuality } from "@muster/shared/protocol/drift-window";
import { Count, DeviceId, Digest, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, oneOf, orNull } from "./common.ts";

const Band = oneOf("none", "slight", "moderate", "severe");
const feature = {
  feature: Type.String(),
  psi: Type.Number(),
  /** What chance alone reaches; null where no size would be beyond it, since all values lie in one bin. */
  threshold: orNull(Type.Number()),
  /** Values, and how many independent ones they are worth. */
  samples: Count,
  effective: Count,
  band: Band,
};
const Feature = Type.Object(feature, closed);

const line = {
  release: Type.Object({ name: Type.String(), version: Type.String(), digest: Digest }, closed),
  model: Type.String(),
  version: Type.String(),
  variant: Type.String(),
  windows: Count,
  /** Windows that devices judged, and those that differed from the reference. */
  judged: Count,
  drifted: Count,
  samples: Count,
  /** Requests that the guards refused. */
  rejected: Count,
  /** All windows together against the reference of the release. */
  band: Band,
  worst: orNull(Feature),
  /** Devices that watch it now, and those among them with an alarm of their own. */
  devices: Count,
  alarms: Count,
};

const DriftLine = Type.Object(line, closed);
export type DriftLine = Static<typeof DriftLine>;

export const DriftList = Type.Object(
  {
    /** The largest drift first. */
    models: Type.Array(DriftLine),
    /** Windows that could not be counted since the start. */
    refused: Count,
  },
  closed,
);
export type DriftList = Static<typeof DriftList>;

const DriftDetail = Type.Object(
  {
    ...line,
    reference: Type.Object({ digest: Digest, samples: Count }, closed),
    /** The largest drift first. `expected` and `counts` have one bin more than `edges`. */
    features: Type.Array(
      Type.Object(
        {
          ...feature,
          edges: Type.Array(Type.Number()),
          expected: Type.Array(Count),
          counts: Type.Array(Count),
        },
        closed,
      ),
    ),
    inputs: Type.Record(Type.String(), InputQuality),
    /** Devices with an alarm of their own, the largest first, at most 20. */
    drifting: Type.Array(
      Type.Object(
        {
          device: DeviceId,
          name: Type.String(),
          site: SitePath,
          against: oneOf("reference", "baseline"),
          feature: orNull(Type.String()),
          psi: Type.Number(),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type DriftDetail = Static<typeof DriftDetail>;

export const DriftDetails = Type.Object({ variants: Type.Array(DriftDetail) }, closed);
export type DriftDetails = Static<typeof DriftDetails>;

const scope = {
  /** A site and everything below it. At most one of site, class and device. */
  site: Type.Optional(SitePath),
  class: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  device: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  /** How far back; the last 24. By the hour up to 168, by the day (UTC) beyond that. */
  hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 9_600 })),
};
const ReleaseText = Type.String({ minLength: 1, maxLength: 160 });

export const DriftQuery = Type.Object(
  { ...scope, release: Type.Optional(ReleaseText), model: Type.Optional(Type.String({ maxLength: 63 })) },
  closed,
);
export const DriftShowQuery = Type.Object(
  { ...scope, release: ReleaseText, model: Type.String({ minLength: 1, maxLength: 63 }) },
  closed,
);
