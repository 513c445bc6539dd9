import { type Static, Type } from "typebox";
import { Name } from "../primitives.ts";
import { Batching } from "./batching.ts";
import { CaptureRule } from "./capture.ts";
import { Cascade } from "./cascade.ts";
import { Guards, Monitor } from "./monitoring.ts";
import { Objective } from "./objective.ts";
import { Pipeline } from "./pipeline.ts";

/** How a model of a release is served. Signed with the release; what is absent takes the default of its schema. */
export const Serving = Type.Object(
  {
    /** Models of one group and provider share a runner process; a crash takes down its own group alone. */
    group: Type.Optional(Name),
    objective: Type.Optional(Objective),
    batching: Type.Optional(Batching),
    cascade: Type.Optional(Cascade),
    guards: Type.Optional(Guards),
    monitor: Type.Optional(Monitor),
    capture: Type.Optional(CaptureRule),
    pipeline: Type.Optional(Pipeline),
  },
  { additionalProperties: false },
);
export type Serving = Static<typeof Serving>;
