import { POWER_LEVELS, type PowerLevel } from "@muster/shared/protocol/messages";
import { climb, GROUND, type Ladder, type Step, stepOf } from "./ladder.ts";
import type { PowerRules } from "./rules.ts";
import type { Reading } from "./sensors/sensors.ts";

/** What the governor holds from one reading to the next. */
export interface GovernorState {
  readonly heat: Ladder;
  readonly draw: Ladder;
}

/** One level that changed, with the numbers that made it. */
export interface LevelChange {
  readonly cause: "heat" | "draw";
  readonly from: PowerLevel;
  readonly to: PowerLevel;
  readonly rises: boolean;
  /** A sentence for people. */
  readonly reason: string;
}

export const COOL: GovernorState = { heat: GROUND, draw: GROUND };

const HOT: Step = 2;
/** Distance of the levels from the highest temperature, and of leaving a level from entering it, degrees Celsius. */
const HEAT_STEPS = [-10, 0, 7] as const;
const HEAT_SLACK = 5;
/** The levels as parts of the budget, and the part by which the draw must be below a level to leave it. */
const BUDGET_STEPS = [0.9, 1, 1.15] as const;
const BUDGET_SLACK = 0.08;
/** Charge at which the next step of saving begins, as part of `saveBelowPercent`; slack in points of charge. */
const CHARGE_STEPS = { hot: 1, critical: 0.4 } as const;
const CHARGE_SLACK = 3;

export const levelOf = ({ step }: Ladder): PowerLevel => POWER_LEVELS[step]!;

/**
 * Judges a reading. Pure: the same state, reading and time give the same answer. What a box cannot tell asks for
 * nothing; a sensor that falls silent counts as calm, with the delay of every fall.
 * @param now monotonic milliseconds
 */
export function govern(
  state: GovernorState,
  reading: Reading,
  rules: PowerRules,
  now: number,
): { state: GovernorState; changes: LevelChange[] } {
  const heat = climb(state.heat, heatAsked(reading, rules, state.heat.step), now, rules);
  const draw = climb(state.draw, drawAsked(reading, rules, state.draw.step), now, rules);
  const changes = [
    ...changeOf("heat", state.heat, heat, heatWords(reading, rules)),
    ...changeOf("draw", state.draw, draw, drawWords(reading, rules)),
  ];
  return { state: { heat, draw }, changes };
}

function heatAsked({ temperatureC, throttled }: Reading, { maxTemperatureC }: PowerRules, held: Step): Step {
  const [warm, hot, critical] = HEAT_STEPS.map((distance) => maxTemperatureC + distance);
  const byHeat = temperatureC === null ? 0 : stepOf(temperatureC, [warm!, hot!, critical!], HEAT_SLACK, held);
  return Math.max(byHeat, throttled === true ? HOT : 0) as Step;
}

function drawAsked({ watts, supply }: Reading, rules: PowerRules, held: Step): Step {
  const { budgetWatts, saveBelowPercent } = rules;
  const byBudget =
    watts === null || budgetWatts === null
      ? 0
      : stepOf(watts / budgetWatts, BUDGET_STEPS, BUDGET_SLACK, held);
  return Math.max(byBudget, chargeAsked(supply, saveBelowPercent, held)) as Step;
}

/** On battery the box saves from the first moment; what is missing of the charge is what rises. */
function chargeAsked(supply: Reading["supply"], saveBelow: number, held: Step): Step {
  if (!supply?.onBattery) return 0;
  const missing = 100 - (supply.percent ?? 100);
  const enter = [0, 100 - saveBelow * CHARGE_STEPS.hot, 100 - saveBelow * CHARGE_STEPS.critical] as const;
  return stepOf(missing, enter, CHARGE_SLACK, held);
}

function changeOf(cause: LevelChange["cause"], before: Ladder, after: Ladder, reason: string): LevelChange[] {
  if (before.step === after.step) return [];
  return [{ cause, from: levelOf(before), to: levelOf(after), rises: after.step > before.step, reason }];
}

function heatWords({ temperatureC, throttled }: Reading, { maxTemperatureC }: PowerRules): string {
  const heat = temperatureC === null ? "no sensor tells the temperature" : `${temperatureC.toFixed(1)} °C`;
  const slowed = throttled === true ? ", and the processors are throttled" : "";
  return `${heat}, the limit is ${maxTemperatureC} °C${slowed}`;
}

function drawWords({ watts, supply }: Reading, { budgetWatts }: PowerRules): string {
  const parts = [
    ...(budgetWatts === null ? [] : [`${watts?.toFixed(1) ?? "unknown"} W of ${budgetWatts} W`]),
    ...(supply?.onBattery ? [`on battery at ${supply.percent ?? "unknown"} %`] : supply ? ["on mains"] : []),
  ];
  return parts.join(", ") || "nothing tells the draw";
}
