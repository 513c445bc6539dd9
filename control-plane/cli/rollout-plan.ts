import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import { validate } from "@muster/shared/protocol/validate";
import type { OptionValues } from "commander";
import { RolloutPlanInput, type WavePlan } from "../rollouts/plan.ts";
import { parseMoment } from "./moment.ts";

/** `3` devices, `10%` of them, `canary:1` of each hardware class, or every device that a selector matches. */
export function readWave(text: string, waves: readonly WavePlan[] = []): WavePlan[] {
  if (/^0+%?$/.test(text)) throw new MusterError("settings.invalid", "A wave takes in one device or more.");
  const canary = /^canary:([1-9]\d{0,3})$/.exec(text)?.[1];
  if (canary) return [...waves, { canary: Number(canary) }];
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent) return [...waves, { percent: Number(percent) }];
  return [...waves, /^\d+$/.test(text) ? { count: Number(text) } : { selector: text }];
}

/** @throws MusterError `settings.invalid` for anything but a number from 0 to 100 */
export function readPercent(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!(value >= 0 && value <= 100)) throw new MusterError("settings.invalid", `${text} is no percentage.`);
  return value;
}

/** `50/min`, `3000/h` or `50`. @throws MusterError `settings.invalid` */
export function readPace(text: string): { maximumPerMinute: number } {
  const [, count, unit] = /^([1-9]\d{0,6})(?:\/(min|h))?$/.exec(text) ?? [];
  if (count === undefined)
    throw new MusterError("settings.invalid", `${text} is no pace: write 50/min or 3000/h.`);
  return { maximumPerMinute: Math.max(1, Math.round(Number(count) / (unit === "h" ? 60 : 1))) };
}

const seconds = (millis: unknown): number => Math.round(Number(millis) / 1000);

/**
 * The plan of a file, with what the options say over it.
 * @throws MusterError `rollout.plan-invalid`
 */
export async function readPlan(options: OptionValues, now: number): Promise<RolloutPlanInput> {
  const plan: Record<string, unknown> =
    options.file === undefined ? {} : await readPlanFile(String(options.file));
  const gate = (plan.gate ?? {}) as { success?: object; error?: object };
  if (options.release !== undefined) plan.release = readRelease(String(options.release));
  if (options.selector !== undefined) plan.selector = options.selector;
  if (options.wave !== undefined) plan.waves = options.wave;
  if (options.shadow !== undefined)
    plan.shadow = { ...(plan.shadow as object | undefined), seconds: seconds(options.shadow) };
  if (options.timeout !== undefined)
    plan.timeouts = { ...(plan.timeouts as object | undefined), total: seconds(options.timeout) };
  if (options.retries !== undefined)
    plan.retries = { ...(plan.retries as object | undefined), max: options.retries };
  if (options.pace !== undefined) plan.pace = options.pace;
  if (options.maxInFlight !== undefined) plan.maxInFlight = options.maxInFlight;
  if (options.at !== undefined) plan.startAt = parseMoment(String(options.at), now, "--at");
  if (options.deadline !== undefined) plan.deadlineSeconds = seconds(options.deadline);
  if (options.priority !== undefined) plan.priority = options.priority;
  if (options.late !== undefined) plan.lateJoiners = options.late;
  if (options.approvals !== undefined) plan.approvals = options.approvals;
  if (options.onFailure !== undefined) plan.onFailure = options.onFailure;
  if (options.force) plan.force = true;
  if (options.minSuccess !== undefined) gate.success = { ...gate.success, minPercent: options.minSuccess };
  if (options.maxError !== undefined) gate.error = { ...gate.error, maxPercent: options.maxError };
  const soak = options.soak === undefined ? {} : { soakSeconds: seconds(options.soak) };
  const whole = { ...plan, gate: { ...gate, ...soak } };
  if (plan.release === undefined)
    throw new MusterError("rollout.plan-invalid", "Say what to roll out: --release NAME@VERSION or -f FILE.");
  return validate(RolloutPlanInput, whole, "rollout.plan-invalid");
}

function readRelease(text: string): { name: string; version: string } {
  const [name, version, ...rest] = text.split("@");
  if (!name || !version || rest.length > 0)
    throw new MusterError("rollout.plan-invalid", `${text} is no release: write NAME@VERSION.`);
  return { name, version };
}

async function readPlanFile(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new MusterError("rollout.plan-invalid", `${file} cannot be read.`, { cause });
  }
  try {
    const plan: unknown = JSON.parse(text);
    if (typeof plan === "object" && plan !== null && !Array.isArray(plan)) return { ...plan };
  } catch (cause) {
    throw new MusterError("rollout.plan-invalid", `${file} is not JSON.`, { cause });
  }
  throw new MusterError("rollout.plan-invalid", `${file} is not a JSON object.`);
}
