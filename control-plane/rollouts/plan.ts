import { MusterError } from "@muster/shared/errors";
import { Millis, Name, Version } from "@muster/shared/protocol/primitives";
import { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import { validate } from "@muster/shared/protocol/validate";
import { WeeklyWindow } from "@muster/shared/time/weekly-window";
import { type Static, Type } from "typebox";
import { parseSelector } from "../fleet/selector.ts";
import { completeGate, type GatePlan, GatePlanInput } from "./gate/plan.ts";

const closed = { additionalProperties: false };
const Percent = Type.Number({ exclusiveMinimum: 0, maximum: 100 });
const Seconds = (minimum: number, days: number) => Type.Integer({ minimum, maximum: days * 86_400 });
const SelectorText = Type.String({ maxLength: 1000 });

/**
 * How far a wave goes. `percent` and `count` are cumulative: when the wave is told, that share (rounded up) or
 * that number of all targets has been told, counting the waves before it. `selector` adds every target that
 * matches and is in no earlier wave; `canary` adds so many devices of each hardware class, at different sites
 * as far as there are any. A last wave with the rest follows by itself where the waves leave any.
 */
export const WavePlan = Type.Union([
  Type.Object({ canary: Type.Integer({ minimum: 1, maximum: 1000 }) }, closed),
  Type.Object({ percent: Percent }, closed),
  Type.Object({ count: Type.Integer({ minimum: 1 }) }, closed),
  Type.Object({ selector: SelectorText }, closed),
]);
export type WavePlan = Static<typeof WavePlan>;

/**
 * How many devices are told a minute, in the words of AWS IoT Jobs: a constant `maximumPerMinute`, or a rate
 * that begins at `baseRatePerMinute` and is multiplied by `incrementFactor` each time that `notified` (or
 * `succeeded`) more devices were told (or succeeded), up to `maximumPerMinute`.
 */
export const Pace = Type.Object(
  {
    maximumPerMinute: Type.Integer({ minimum: 1, maximum: 100_000 }),
    exponential: Type.Optional(
      Type.Object(
        {
          baseRatePerMinute: Type.Integer({ minimum: 1, maximum: 100_000 }),
          incrementFactor: Type.Number({ minimum: 1.1, maximum: 5, multipleOf: 0.1 }),
          increaseAfter: Type.Union([
            Type.Object({ notified: Type.Integer({ minimum: 1 }) }, closed),
            Type.Object({ succeeded: Type.Integer({ minimum: 1 }) }, closed),
          ]),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type Pace = Static<typeof Pace>;

/** Devices: so many, or a share of those there are, rounded down but at least 1. */
export const Limit = Type.Union([
  Type.Object({ count: Type.Integer({ minimum: 1 }) }, closed),
  Type.Object({ percent: Percent }, closed),
]);
export type Limit = Static<typeof Limit>;

/** Most devices that may be unavailable at once (changing, offline or not serving), counting those already so. */
export const BlastRadius = Type.Object(
  {
    site: Type.Optional(Limit),
    region: Type.Optional(Limit),
    hardwareClass: Type.Optional(Limit),
    /** Names of the site path that make a region: with 2, `eu/de/berlin-3` lies in `eu/de`. */
    regionDepth: Type.Optional(Type.Integer({ minimum: 1, maximum: 7 })),
  },
  closed,
);
export type BlastRadius = Static<typeof BlastRadius>;

/**
 * How long a device may take, counted by the control plane from when it was told or seen to enter the phase,
 * seconds. Longer is a failure (`timed-out`) that names the phase. Absent phases have no limit of their own.
 */
export const Timeouts = Type.Object(
  {
    total: Seconds(1, 30),
    /** From being told until the device has taken the directive up. */
    pickup: Type.Optional(Seconds(1, 30)),
    fetching: Type.Optional(Seconds(1, 30)),
    staging: Type.Optional(Seconds(1, 30)),
    activating: Type.Optional(Seconds(1, 30)),
    probation: Type.Optional(Seconds(1, 30)),
    rollingBack: Type.Optional(Seconds(1, 30)),
  },
  closed,
);
export type Timeouts = Static<typeof Timeouts>;

/** A failure that time may mend is tried again after `baseSeconds`, twice that, and so on up to `maxSeconds`. */
export const Retries = Type.Object(
  {
    max: Type.Integer({ minimum: 0, maximum: 10 }),
    baseSeconds: Seconds(1, 1),
    maxSeconds: Seconds(1, 7),
  },
  closed,
);
export type Retries = Static<typeof Retries>;

const DEFAULTS = {
  selector: "",
  lateJoiners: "exclude",
  waves: [{ canary: 1 }, { percent: 10 }, { percent: 50 }] as WavePlan[],
  order: "spread",
  blastRadius: { site: { percent: 50 }, regionDepth: 2 } as const,
  uplinkSharePercent: 50,
  windows: "site",
  priority: 500,
  timeouts: { total: 3600 },
  retries: { max: 0, baseSeconds: 60, maxSeconds: 3600 },
  onFailure: "revert",
  force: false,
} as const;

const literal = <const T extends string[]>(...values: readonly [...T]) => Type.Enum(values);

/**
 * Has devices run the release beside their live one first, on a sample of their real traffic, and lets it serve only
 * where both agree. See `ShadowRule` for the numbers; `waves` says whether the first wave does that or every one.
 */
export const ShadowPlan = Type.Object(
  { ...ShadowRule.properties, waves: Type.Enum(["first", "all"]) },
  closed,
);
export type ShadowPlan = Static<typeof ShadowPlan>;

const SHADOW_DEFAULTS: ShadowPlan = {
  seconds: 600,
  samplePercent: 10,
  cpuPercent: 25,
  minCompared: 200,
  minAgreementPercent: 95,
  waves: "first",
};

/** What an operator writes: everything but the release has a default. */
export const RolloutPlanInput = Type.Object(
  {
    release: Type.Object({ name: Name, version: Version }, closed),
    description: Type.Optional(Type.String({ maxLength: 500 })),
    /** Which devices; empty for all. Syntax in `fleet/selector.ts`. */
    selector: Type.Optional(SelectorText),
    /** Devices that begin to match after the start: a wave behind the last, kept for an operator, or left out. */
    lateJoiners: Type.Optional(literal("include", "hold", "exclude")),
    waves: Type.Optional(Type.Array(WavePlan, { maxItems: 32 })),
    /** `spread` takes a device of each site and hardware class in turn; `random` does not look at either. */
    order: Type.Optional(literal("spread", "random")),
    pace: Type.Optional(Pace),
    /** Most devices that are told and have not ended, over the whole rollout. */
    maxInFlight: Type.Optional(Type.Integer({ minimum: 1 })),
    blastRadius: Type.Optional(BlastRadius),
    /** Share of a site's stated uplink that downloads of this rollout may take, percent. */
    uplinkSharePercent: Type.Optional(Percent),
    /** When devices may be told, by the clock of their site: in the windows of the site, in these, or any time. */
    windows: Type.Optional(
      Type.Union([
        Type.Literal("site"),
        Type.Literal("any"),
        Type.Array(WeeklyWindow, { minItems: 1, maxItems: 16 }),
      ]),
    ),
    /** Nothing is told before. */
    startAt: Type.Optional(Millis),
    /** So long after the start nothing more is told and what has not begun is called off, seconds. */
    deadlineSeconds: Type.Optional(Seconds(60, 365)),
    /** Operators other than the author who must approve before the start; more than the fleet's policy asks for. */
    approvals: Type.Optional(Type.Integer({ minimum: 0, maximum: 5 })),
    /** Of two rollouts that want a device the higher one gets it; of equal ones the earlier one. */
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
    gate: Type.Optional(GatePlanInput),
    /** The release runs beside the live one first; absent for no such time. */
    shadow: Type.Optional(Type.Partial(ShadowPlan, closed)),
    timeouts: Type.Optional(Type.Partial(Timeouts, closed)),
    retries: Type.Optional(Type.Partial(Retries, closed)),
    /** What a violated gate does. */
    onFailure: Type.Optional(literal("revert", "pause")),
    /** Take a release that is in quarantine all the same. */
    force: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type RolloutPlanInput = Static<typeof RolloutPlanInput>;

/** A plan with every default filled in. */
export interface RolloutPlan {
  release: { name: string; version: string };
  description: string;
  selector: string;
  lateJoiners: "include" | "hold" | "exclude";
  waves: WavePlan[];
  order: "spread" | "random";
  /** Null for as fast as the other limits allow. */
  pace: Pace | null;
  maxInFlight: number | null;
  blastRadius: BlastRadius & { regionDepth: number };
  uplinkSharePercent: number;
  windows: "site" | "any" | WeeklyWindow[];
  startAt: number | null;
  deadlineSeconds: number | null;
  approvals: number;
  priority: number;
  gate: GatePlan;
  /** Null for no shadow. */
  shadow: ShadowPlan | null;
  timeouts: Timeouts;
  retries: Retries;
  onFailure: "revert" | "pause";
  force: boolean;
}

/**
 * Validates a plan and fills in the defaults.
 * @throws MusterError `rollout.plan-invalid` with the member, `selector.invalid` with the position
 */
export function completePlan(input: unknown): RolloutPlan {
  const given = validate(RolloutPlanInput, input, "rollout.plan-invalid");
  const plan: RolloutPlan = {
    release: given.release,
    description: given.description ?? "",
    selector: given.selector ?? DEFAULTS.selector,
    lateJoiners: given.lateJoiners ?? DEFAULTS.lateJoiners,
    waves: given.waves ?? DEFAULTS.waves,
    order: given.order ?? DEFAULTS.order,
    pace: given.pace ?? null,
    maxInFlight: given.maxInFlight ?? null,
    blastRadius: {
      regionDepth: DEFAULTS.blastRadius.regionDepth,
      ...(given.blastRadius ?? DEFAULTS.blastRadius),
    },
    uplinkSharePercent: given.uplinkSharePercent ?? DEFAULTS.uplinkSharePercent,
    windows: given.windows ?? DEFAULTS.windows,
    startAt: given.startAt ?? null,
    deadlineSeconds: given.deadlineSeconds ?? null,
    approvals: given.approvals ?? 0,
    priority: given.priority ?? DEFAULTS.priority,
    gate: completeGate(given.gate),
    shadow: given.shadow ? { ...SHADOW_DEFAULTS, ...given.shadow } : null,
    timeouts: { ...DEFAULTS.timeouts, ...given.timeouts },
    retries: { ...DEFAULTS.retries, ...given.retries },
    onFailure: given.onFailure ?? DEFAULTS.onFailure,
    force: given.force ?? DEFAULTS.force,
  };
  parseSelector(plan.selector);
  for (const wave of plan.waves) if ("selector" in wave) parseSelector(wave.selector);
  requireGrowth(plan.waves);
  requireRates(plan.pace);
  return plan;
}

/** Cumulative sizes that do not grow are a slip: such a wave would tell nobody. */
function requireGrowth(waves: readonly WavePlan[]): void {
  let percent = 0;
  let count = 0;
  for (const [index, wave] of waves.entries()) {
    if (("percent" in wave && wave.percent <= percent) || ("count" in wave && wave.count <= count))
      throw new MusterError(
        "rollout.plan-invalid",
        `Wave ${index + 1} goes no further than a wave before it: percent and count are cumulative.`,
      );
    if ("percent" in wave) percent = wave.percent;
    if ("count" in wave) count = wave.count;
  }
}

function requireRates(pace: Pace | null): void {
  if (pace?.exponential && pace.exponential.baseRatePerMinute > pace.maximumPerMinute)
    throw new MusterError(
      "rollout.plan-invalid",
      "The pace begins above its maximum: lower exponential.baseRatePerMinute or raise maximumPerMinute.",
    );
}
