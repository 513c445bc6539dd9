import { type Static, Type } from "typebox";

const closed = { additionalProperties: false };
const Percent0 = Type.Number({ minimum: 0, maximum: 100 });

/** What devices measure of a release. For `crash-free-hours` and `shadow-agreement` more is better, else less. */
export const METRICS = [
  "crash-free-hours",
  "error-rate",
  "fallback-rate",
  "latency-p95",
  "drift",
  "shadow-agreement",
] as const;
export type Metric = (typeof METRICS)[number];

/**
 * A condition on what the updated devices measure. `limit` is absolute, in the unit of the metric: percent, but
 * milliseconds for `latency-p95` and PSI for `drift`. `tolerance` compares with the devices that are not updated
 * yet by the sequential test (`docs/gates.md`): how much worse than those the release may be, in percent of
 * their value for `latency-p95` and in percentage points for shares. At least one of the two.
 */
export const MetricRule = Type.Object(
  {
    metric: Type.Enum(METRICS),
    limit: Type.Optional(Type.Number({ minimum: 0 })),
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);
export type MetricRule = Static<typeof MetricRule>;

const success = {
  /** Least share of the devices with a known end that succeeded, percent. */
  minPercent: Percent0,
  /** Least number of devices with a known end; the last wave asks for no more than it has. */
  minDevices: Type.Integer({ minimum: 1 }),
};
const error = {
  /** Share of failures among the devices with a known end above which the gate is violated, percent. */
  maxPercent: Percent0,
  /** Least number of devices with a known end before their share counts; all of the wave, where fewer. */
  minDevices: Type.Integer({ minimum: 1 }),
};
const sample = {
  /** Least evidence of the updated devices of the wave before its metrics may pass. */
  minInferences: Type.Integer({ minimum: 0 }),
  minInferenceHours: Type.Number({ minimum: 0 }),
};

const attestation = {
  /** Least share of the updated devices whose evidence since the update is affirming, percent. */
  minAffirmingPercent: Percent0,
  /** Most devices that were told and whose evidence since is contraindicated; more violate the gate. */
  maxContraindicated: Type.Integer({ minimum: 0 }),
};

/** Condition on evidence that each wave must meet before the next one is told. */
export const GatePlan = Type.Object(
  {
    success: Type.Object(success, closed),
    error: Type.Object(error, closed),
    metrics: Type.Array(MetricRule, { maxItems: 16 }),
    sample: Type.Object(sample, closed),
    /** Null: verdicts are not asked for. */
    attestation: Type.Union([Type.Object(attestation, closed), Type.Null()]),
    /** Chance that a release no worse than the old one is stopped by a comparison of one wave, percent. */
    falseAlarmPercent: Type.Number({ minimum: 0.01, maximum: 20 }),
    /** How long all of it must hold without a break, seconds. */
    soakSeconds: Type.Integer({ minimum: 0, maximum: 30 * 86_400 }),
  },
  closed,
);
export type GatePlan = Static<typeof GatePlan>;

export const GatePlanInput = Type.Object(
  {
    success: Type.Optional(Type.Partial(Type.Object(success), closed)),
    error: Type.Optional(Type.Partial(Type.Object(error), closed)),
    metrics: Type.Optional(GatePlan.properties.metrics),
    sample: Type.Optional(Type.Partial(Type.Object(sample), closed)),
    attestation: Type.Optional(Type.Union([Type.Partial(Type.Object(attestation), closed), Type.Null()])),
    falseAlarmPercent: Type.Optional(GatePlan.properties.falseAlarmPercent),
    soakSeconds: Type.Optional(GatePlan.properties.soakSeconds),
  },
  closed,
);
export type GatePlanInput = Static<typeof GatePlanInput>;

const DEFAULTS: GatePlan = {
  success: { minPercent: 90, minDevices: 1 },
  error: { maxPercent: 10, minDevices: 10 },
  metrics: [
    { metric: "crash-free-hours", tolerance: 0 },
    { metric: "error-rate", tolerance: 0.5 },
    { metric: "fallback-rate", tolerance: 5 },
    { metric: "latency-p95", tolerance: 25 },
  ],
  sample: { minInferences: 0, minInferenceHours: 0 },
  attestation: null,
  falseAlarmPercent: 1,
  soakSeconds: 60,
};

/** What a plan that asks for attestation means by it unless it says more. */
const ATTESTATION = { minAffirmingPercent: 100, maxContraindicated: 0 };

export const completeGate = (given: GatePlanInput = {}): GatePlan => ({
  ...DEFAULTS,
  ...given,
  success: { ...DEFAULTS.success, ...given.success },
  error: { ...DEFAULTS.error, ...given.error },
  sample: { ...DEFAULTS.sample, ...given.sample },
  attestation: given.attestation ? { ...ATTESTATION, ...given.attestation } : null,
});
