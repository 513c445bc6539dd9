import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import { validate } from "@muster/shared/protocol/validate";
import type { OptionValues } from "commander";
import { RolloutPlanInput, type WavePlan } from "../rollouts/plan.ts";

/** `3` devices, `10%` of them, or every device that a selector matches. */
export function readWave(text: string, waves: readonly WavePlan[] = []): WavePlan[] {
  if (/^0+%?$/.test(text)) throw new MusterError("settings.invalid", "A wave takes in one device or more.");
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

/**
 * The plan of a file, with what the options say over it.
 * @throws MusterError `rollout.plan-invalid`
 */
export async function readPlan(options: OptionValues): Promise<RolloutPlanInput> {
  const plan: Record<string, unknown> =
    options.file === undefined ? {} : await readPlanFile(String(options.file));
  const gate = (plan.gate ?? {}) as { success?: object; error?: object };
  if (options.release !== undefined) plan.release = readRelease(String(options.release));
  if (options.selector !== undefined) plan.selector = options.selector;
  if (options.wave !== undefined) plan.waves = options.wave;
  if (options.timeout !== undefined) plan.deviceTimeoutSeconds = Math.round(options.timeout / 1000);
  if (options.onFailure !== undefined) plan.onFailure = options.onFailure;
  if (options.force) plan.force = true;
  if (options.minSuccess !== undefined) gate.success = { ...gate.success, minPercent: options.minSuccess };
  if (options.maxError !== undefined) gate.error = { ...gate.error, maxPercent: options.maxError };
  const soak = options.soak === undefined ? {} : { soakSeconds: Math.round(options.soak / 1000) };
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
