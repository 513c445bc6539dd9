import { situationOf } from "../counts.ts";
import { hasBegun } from "../evidence.ts";
import type { DeviceRecord } from "../model.ts";
import { counted, fitting } from "../words.ts";
import { numbersOf, type Step } from "./step.ts";

const CHANGED: ReadonlySet<string> = new Set(["told", "retrying", "succeeded", "failed"]);

/** Gives every device that was told its previous release back; offline ones find the newer directive. */
export function revertAll(step: Step): void {
  turnBack(step, ({ status }) => CHANGED.has(status), {}, "reverted");
}

/** Takes back what was told and has not begun; what has begun runs to its end. */
export function callOff(step: Step): void {
  const unbegun = (record: DeviceRecord) =>
    record.status === "retrying" ||
    (record.status === "told" && !hasBegun(record, step.facts.of(record.device)));
  turnBack(step, unbegun, { outcome: "canceled" }, "aborted");
}

/**
 * Issues the way back for the devices that `which` names, and ends when every device that can be reached has
 * settled. A device that another rollout took over has another owner and is left alone.
 */
function turnBack(
  step: Step,
  which: (record: DeviceRecord) => boolean,
  change: Partial<DeviceRecord>,
  end: "reverted" | "aborted",
): void {
  const { rollout, facts, now } = step;
  for (const [index, record] of step.devices.entries()) {
    if (!CHANGED.has(record.status) || !which(record)) continue;
    const { active, owner } = facts.of(record.device);
    if (!active || owner !== rollout.id) continue;
    if (step.room === 0) {
      step.more = true;
      return;
    }
    step.instruct({ device: record.device, release: record.previous });
    step.change(index, { ...record, status: "returning", returnedAt: now, notBefore: null, ...change });
  }
  if (step.devices.some((record, place) => isUnsettled(step, record, place))) return;
  step.move({ state: end, endedAt: now });
  const { all } = step.counts();
  const away = all.returning;
  const stuck = all.returnFailed > 0 ? ` ${all.returnFailed} could not go back.` : "";
  const rest = away > 0 ? ` ${away} cannot be reached; the directive waits.` : "";
  step.event(
    end,
    `${counted(all.returned, "device")} ${fitting(all.returned, "is", "are")} back on the previous release.${stuck}${rest}`,
    numbersOf(all),
  );
}

/** At work and within reach: worth waiting for. */
function isUnsettled(step: Step, record: DeviceRecord, place: number): boolean {
  const { facts, now, rollout, progress } = step;
  const isOnline = () => facts.isOnline(place);
  const situation = situationOf(record, progress.wave, isOnline);
  if (situation === "pending" || situation === "silent") return true;
  if (situation !== "returning" || !isOnline()) return false;
  return now - (record.returnedAt ?? 0) < rollout.plan.timeouts.total * 1000;
}
