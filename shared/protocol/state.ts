import { type Static, Type } from "typebox";
import { ChoiceReport } from "./choice.ts";
import { Count, Digest, Failure, Millis, Name, Nullable, ReleaseRef, Version } from "./primitives.ts";

/** Phases of the update journal on the device, in order; the last two are entered on failure. */
export const UPDATE_PHASES = [
  "accepted",
  "fetching",
  "fetched",
  "staged",
  "activating",
  "probation",
  "committed",
  "rolling-back",
  "rolled-back",
] as const;
export const UpdatePhase = Type.Enum(UPDATE_PHASES);
export type UpdatePhase = (typeof UPDATE_PHASES)[number];

/** How an update ended on the device. The control plane adds `timed-out`, `canceled` and `superseded`. */
export const UPDATE_OUTCOMES = [
  "succeeded",
  "failed-unchanged",
  "failed-rolled-back",
  "failed-stuck",
  "rejected",
  "superseded",
] as const;
export const UpdateOutcome = Type.Enum(UPDATE_OUTCOMES);
export type UpdateOutcome = (typeof UPDATE_OUTCOMES)[number];

/** End of one update attempt. `generation` is that of the directive and names the attempt. */
export const UpdateResult = Type.Object(
  {
    generation: Count,
    release: Nullable(ReleaseRef),
    outcome: UpdateOutcome,
    failure: Type.Optional(Failure),
    at: Millis,
  },
  { additionalProperties: false },
);
export type UpdateResult = Static<typeof UpdateResult>;

/** How far below its first choice a device went because that kept failing. */
export const DegradedStep = Type.Enum(["provider", "variant", "previous", "safe"]);
export type DegradedStep = Static<typeof DegradedStep>;

/** One component as it really runs. `digest` is that of the model file or config document in use. */
export const RunningComponent = Type.Object(
  {
    type: Type.Union([Type.Literal("model"), Type.Literal("config")]),
    name: Name,
    version: Version,
    digest: Digest,
    variant: Type.Optional(Name),
    provider: Type.Optional(Name),
    /** Absent where nothing was measured. */
    choice: Type.Optional(ChoiceReport),
    /** Present while something else than the first choice of the release runs, with the reason. */
    degraded: Type.Optional(
      Type.Object(
        { step: DegradedStep, reason: Type.String({ maxLength: 300 }) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type RunningComponent = Static<typeof RunningComponent>;

/** What the device says about itself. `running` is proven by the runner, not copied from the directive. */
export const ReportedState = Type.Object(
  {
    generation: Count,
    running: Nullable(ReleaseRef),
    components: Type.Array(RunningComponent, { maxItems: 64 }),
    runner: Type.Union([
      Type.Literal("idle"),
      Type.Literal("starting"),
      Type.Literal("ready"),
      Type.Literal("failed"),
    ]),
    update: Nullable(
      Type.Object(
        { generation: Count, release: Nullable(ReleaseRef), phase: UpdatePhase, since: Millis },
        { additionalProperties: false },
      ),
    ),
    lastResult: Nullable(UpdateResult),
    /** Newest directive that was refused, with the reason. */
    refused: Nullable(
      Type.Object({ generation: Count, failure: Failure, at: Millis }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);
export type ReportedState = Static<typeof ReportedState>;
