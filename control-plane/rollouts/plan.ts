import { MusterError } from "@muster/shared/errors";
import { Name, Version } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { parseSelector } from "./selector.ts";

const closed = { additionalProperties: false };
const Percent = Type.Number({ exclusiveMinimum: 0, maximum: 100 });
const SelectorText = Type.String({ maxLength: 1000 });

/**
 * How far a wave goes. `percent` and `count` are cumulative: when the wave is told, that share (rounded up) or
 * that number of all targets has been told, counting the waves before it. `selector` adds every target that
 * matches and is in no earlier wave. A last wave with the rest follows by itself where the waves leave any.
 */
export const WavePlan = Type.Union([
  Type.Object({ percent: Percent }, closed),
  Type.Object({ count: Type.Integer({ minimum: 1 }) }, closed),
  Type.Object({ selector: SelectorText }, closed),
]);
export type WavePlan = Static<typeof WavePlan>;

/** Condition on evidence that each wave must meet before the next one is told. */
export const GatePlan = Type.Object(
  {
    success: Type.Object(
      {
        /** Least share of the devices with a known end that succeeded, percent. */
        minPercent: Type.Number({ minimum: 0, maximum: 100 }),
        /** Least number of devices with a known end; the last wave asks for no more than it has. */
        minDevices: Type.Integer({ minimum: 1 }),
      },
      closed,
    ),
    error: Type.Object(
      {
        /** Share of failures among the devices with a known end above which the gate is violated, percent. */
        maxPercent: Type.Number({ minimum: 0, maximum: 100 }),
        /** Least number of devices with a known end before failures count; all that were told, where fewer. */
        minDevices: Type.Integer({ minimum: 1 }),
      },
      closed,
    ),
    /** How long the success condition must hold without a break, seconds. */
    soakSeconds: Type.Integer({ minimum: 0, maximum: 30 * 86_400 }),
  },
  closed,
);
export type GatePlan = Static<typeof GatePlan>;

const DEFAULTS = {
  selector: "",
  waves: [{ count: 1 }, { percent: 10 }, { percent: 50 }] as WavePlan[],
  gate: {
    success: { minPercent: 90, minDevices: 1 },
    error: { maxPercent: 10, minDevices: 1 },
    soakSeconds: 60,
  },
  deviceTimeoutSeconds: 3600,
  onFailure: "revert",
  force: false,
} as const;

/** What an operator writes: everything but the release has a default. */
export const RolloutPlanInput = Type.Object(
  {
    release: Type.Object({ name: Name, version: Version }, closed),
    /** Which devices; empty for all. Syntax in `selector.ts`. */
    selector: Type.Optional(SelectorText),
    waves: Type.Optional(Type.Array(WavePlan, { maxItems: 32 })),
    gate: Type.Optional(
      Type.Object(
        {
          success: Type.Optional(Type.Partial(GatePlan.properties.success, closed)),
          error: Type.Optional(Type.Partial(GatePlan.properties.error, closed)),
          soakSeconds: Type.Optional(GatePlan.properties.soakSeconds),
        },
        closed,
      ),
    ),
    /** A device that was reached and tells no end for so long counts as failed (`timed-out`), seconds. */
    deviceTimeoutSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 * 86_400 })),
    /** What a violated gate does. */
    onFailure: Type.Optional(Type.Union([Type.Literal("revert"), Type.Literal("pause")])),
    /** Take a release that is in quarantine all the same. */
    force: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type RolloutPlanInput = Static<typeof RolloutPlanInput>;

/** A plan with every default filled in. */
export interface RolloutPlan {
  release: { name: string; version: string };
  selector: string;
  waves: WavePlan[];
  gate: GatePlan;
  deviceTimeoutSeconds: number;
  onFailure: "revert" | "pause";
  force: boolean;
}

/**
 * Validates a plan and fills in the defaults.
 * @throws MusterError `rollout.plan-invalid` with the member or the position in the selector
 */
export function completePlan(input: unknown): RolloutPlan {
  const given = validate(RolloutPlanInput, input, "rollout.plan-invalid");
  const plan: RolloutPlan = {
    release: given.release,
    selector: given.selector ?? DEFAULTS.selector,
    waves: given.waves ?? DEFAULTS.waves,
    gate: {
      success: { ...DEFAULTS.gate.success, ...given.gate?.success },
      error: { ...DEFAULTS.gate.error, ...given.gate?.error },
      soakSeconds: given.gate?.soakSeconds ?? DEFAULTS.gate.soakSeconds,
    },
    deviceTimeoutSeconds: given.deviceTimeoutSeconds ?? DEFAULTS.deviceTimeoutSeconds,
    onFailure: given.onFailure ?? DEFAULTS.onFailure,
    force: given.force ?? DEFAULTS.force,
  };
  parseSelector(plan.selector);
  for (const wave of plan.waves) if ("selector" in wave) parseSelector(wave.selector);
  requireGrowth(plan.waves);
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
