import { Count, Millis, ReleaseRef } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { GatePlan, RolloutPlanInput, WavePlan } from "../../rollouts/plan.ts";
import { closed, MaybeFailure, MaybeMillis, MaybeRelease, oneOf, orNull } from "./common.ts";

const RolloutState = oneOf(
  "draft",
  "running",
  "paused",
  "completed",
  "aborting",
  "aborted",
  "reverting",
  "reverted",
);

/** Devices, each counted once; see `rollouts/views.ts` for what the words mean. */
const DeviceCounts = Type.Object(
  {
    total: Count,
    waiting: Count,
    offline: Count,
    pending: Count,
    silent: Count,
    succeeded: Count,
    failed: Count,
    returning: Count,
    returned: Count,
    returnFailed: Count,
    released: Count,
  },
  closed,
);

const summary = {
  id: Type.String(),
  state: RolloutState,
  release: ReleaseRef,
  selector: Type.String(),
  reason: orNull(Type.String()),
  wave: orNull(Type.Integer()),
  waves: Count,
  counts: DeviceCounts,
  createdAt: Millis,
  startedAt: MaybeMillis,
  endedAt: MaybeMillis,
};
const RolloutSummaryResource = Type.Object(summary, closed);
export const RolloutList = Type.Object({ rollouts: Type.Array(RolloutSummaryResource) }, closed);
export type RolloutList = Static<typeof RolloutList>;

const Gate = Type.Object(
  {
    verdict: oneOf("met", "violated", "inconclusive"),
    reason: Type.String(),
    waitingFor: Type.Union([Type.Literal("evidence"), Type.Literal("soak"), Type.Null()]),
    numbers: Type.Object(
      {
        succeeded: Count,
        failed: Count,
        needed: Count,
        successPercent: orNull(Type.Number()),
        errorPercent: orNull(Type.Number()),
        soakedSeconds: Count,
      },
      closed,
    ),
    thresholds: GatePlan,
  },
  closed,
);

const Plan = Type.Object(
  {
    release: RolloutPlanInput.properties.release,
    selector: Type.String(),
    waves: Type.Array(WavePlan),
    gate: GatePlan,
    deviceTimeoutSeconds: Type.Integer(),
    onFailure: oneOf("revert", "pause"),
    force: Type.Boolean(),
  },
  closed,
);

export const RolloutResource = Type.Object(
  {
    ...summary,
    plan: Plan,
    waveList: Type.Array(
      Type.Object(
        { number: Count, state: oneOf("waiting", "open", "passed", "stopped"), counts: DeviceCounts },
        closed,
      ),
    ),
    /** Gate of the open or last wave. */
    gate: orNull(Gate),
    failures: Type.Array(
      Type.Object({ code: Type.String(), devices: Count, example: Type.String() }, closed),
    ),
  },
  closed,
);
export type RolloutResource = Static<typeof RolloutResource>;

export const RolloutDeviceList = Type.Object(
  {
    devices: Type.Array(
      Type.Object(
        {
          device: Type.String(),
          name: Type.String(),
          site: Type.String(),
          hardwareClass: Type.String(),
          wave: Count,
          status: Type.String(),
          situation: Type.String(),
          previous: MaybeRelease,
          outcome: orNull(Type.String()),
          failure: MaybeFailure,
          toldAt: MaybeMillis,
        },
        closed,
      ),
    ),
  },
  closed,
);
export type RolloutDeviceList = Static<typeof RolloutDeviceList>;

export const RolloutEventList = Type.Object(
  {
    events: Type.Array(
      Type.Object(
        {
          seq: Count,
          at: Millis,
          kind: Type.String(),
          sentence: Type.String(),
          numbers: Type.Record(Type.String(), Type.Number()),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type RolloutEventList = Static<typeof RolloutEventList>;

/** What a plan selects as things stand; the answer to a dry run. */
export const SelectionResource = Type.Object(
  {
    release: ReleaseRef,
    matched: Count,
    waves: Type.Array(
      Type.Object(
        {
          number: Count,
          devices: Type.Array(
            Type.Object(
              {
                device: Type.String(),
                name: Type.String(),
                site: Type.String(),
                hardwareClass: Type.String(),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    excluded: Type.Array(
      Type.Object(
        {
          device: Type.String(),
          name: Type.String(),
          site: Type.String(),
          reason: Type.String(),
          sentence: Type.String(),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type SelectionResource = Static<typeof SelectionResource>;

/** Why, for those who read the events later. */
export const RolloutStop = Type.Object(
  { reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })) },
  closed,
);

/** With `acceptWave` an inconclusive wave is taken as it is and the next one begins. */
export const RolloutResumption = Type.Object({ acceptWave: Type.Optional(Type.Boolean()) }, closed);
