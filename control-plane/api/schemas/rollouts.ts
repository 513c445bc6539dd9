import { Count, Millis, ReleaseRef } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { GatePlan } from "../../rollouts/gate/plan.ts";
import { BlastRadius, Retries, RolloutPlanInput, ShadowPlan, Timeouts } from "../../rollouts/plan.ts";
import { DEVICE_STATUSES, ROLLOUT_STATES } from "../../storage/tables/rollouts.ts";
import { closed, MaybeFailure, MaybeMillis, MaybeRelease, oneOf, orNull } from "./common.ts";
import { Gate } from "./gates.ts";

/** Devices, each counted once; see `rollouts/views.ts` for what the words mean. */
const DeviceCounts = Type.Object(
  {
    total: Count,
    waiting: Count,
    offline: Count,
    withheld: Count,
    pending: Count,
    silent: Count,
    retrying: Count,
    succeeded: Count,
    failed: Count,
    returning: Count,
    returned: Count,
    returnFailed: Count,
    released: Count,
    held: Count,
    superseded: Count,
    skipped: Count,
  },
  closed,
);

/** An operator, with the name that it had then. */
const Actor = Type.Object({ id: Type.String(), name: Type.String() }, closed);

const HOLD_REASONS = [
  "withheld",
  "offline",
  "retry",
  "freeze",
  "window",
  "other-rollout",
  "in-flight",
  "blast-radius",
  "uplink",
  "pace",
  "tick",
] as const;
const HoldReason = oneOf(...HOLD_REASONS);

/** Each named: what is no property of an answer's schema is left out of the answer. */
const HeldCounts = Type.Partial(
  Type.Object(
    Object.fromEntries(HOLD_REASONS.map((reason) => [reason, Count])) as Record<
      (typeof HOLD_REASONS)[number],
      typeof Count
    >,
    closed,
  ),
);

const summary = {
  id: Type.String(),
  state: oneOf(...ROLLOUT_STATES),
  release: ReleaseRef,
  selector: Type.String(),
  priority: Count,
  reason: orNull(Type.String()),
  wave: orNull(Type.Integer()),
  waves: Count,
  counts: DeviceCounts,
  createdBy: Actor,
  createdAt: Millis,
  startedAt: MaybeMillis,
  endedAt: MaybeMillis,
};
const RolloutSummaryResource = Type.Object(summary, closed);
export const RolloutList = Type.Object(
  { rollouts: Type.Array(RolloutSummaryResource), next: orNull(Type.String()) },
  closed,
);
export type RolloutList = Static<typeof RolloutList>;

const { properties: given } = Type.Required(RolloutPlanInput);
/** A plan with every default filled in. */
const Plan = Type.Object(
  {
    ...given,
    pace: orNull(given.pace),
    maxInFlight: orNull(given.maxInFlight),
    startAt: orNull(given.startAt),
    deadlineSeconds: orNull(given.deadlineSeconds),
    blastRadius: BlastRadius,
    gate: GatePlan,
    shadow: orNull(ShadowPlan),
    timeouts: Timeouts,
    retries: Retries,
  },
  closed,
);

export const RolloutResource = Type.Object(
  {
    ...summary,
    plan: Plan,
    submittedBy: orNull(Actor),
    approvals: Type.Object(
      {
        needed: Count,
        given: Type.Array(
          Type.Object(
            {
              operator: Actor,
              decision: oneOf("approved", "denied"),
              reason: orNull(Type.String()),
              at: Millis,
            },
            closed,
          ),
        ),
      },
      closed,
    ),
    waveList: Type.Array(
      Type.Object(
        { number: Count, state: oneOf("waiting", "open", "passed", "stopped"), counts: DeviceCounts },
        closed,
      ),
    ),
    /** Devices that may be told and are not told just now, by the reason. */
    held: HeldCounts,
    /** Gate of the open or last wave. */
    gate: orNull(Gate),
    failures: Type.Array(
      Type.Object({ code: Type.String(), devices: Count, example: Type.String() }, closed),
    ),
  },
  closed,
);
export type RolloutResource = Static<typeof RolloutResource>;

const part = {
  device: Type.String(),
  name: Type.String(),
  site: Type.String(),
  hardwareClass: Type.String(),
  wave: Count,
  status: oneOf(...DEVICE_STATUSES),
  situation: Type.String(),
  held: orNull(HoldReason),
  withheldBecause: orNull(Type.String()),
  previous: MaybeRelease,
  attempts: Count,
  phase: orNull(Type.String()),
  notBefore: MaybeMillis,
  outcome: orNull(Type.String()),
  failure: MaybeFailure,
  toldAt: MaybeMillis,
};
export const RolloutDeviceList = Type.Object(
  { devices: Type.Array(Type.Object(part, closed)), next: orNull(Type.String()) },
  closed,
);
export type RolloutDeviceList = Static<typeof RolloutDeviceList>;

/** The rollouts that have a device, and where it stands in each. */
export const DeviceRolloutList = Type.Object(
  {
    rollouts: Type.Array(
      Type.Object(
        {
          ...part,
          rollout: Type.String(),
          release: ReleaseRef,
          state: oneOf(...ROLLOUT_STATES),
          openWave: orNull(Type.Integer()),
          priority: Count,
        },
        closed,
      ),
    ),
  },
  closed,
);
export type DeviceRolloutList = Static<typeof DeviceRolloutList>;

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

const Reason = Type.String({ minLength: 1, maxLength: 500 });

/** Why, for those who read the events later. */
export const RolloutAction = Type.Object({ reason: Type.Optional(Reason) }, closed);

/** A denial has to say why. */
export const RolloutDenial = Type.Object({ reason: Reason }, closed);

/** Names the wave, counted from 1, so that repeating it skips no other one. */
export const RolloutSkip = Type.Object(
  { wave: Type.Integer({ minimum: 1 }), reason: Type.Optional(Reason) },
  closed,
);
