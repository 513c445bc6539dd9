import { situationOf } from "../counts.ts";
import { hasBegun, isLeftUnbegun } from "../evidence.ts";
import type { DeviceRecord } from "../model.ts";
import { wayBack } from "../way-back.ts";
import { counted, fitting } from "../words.ts";
import { numbersOf, type Step } from "./step.ts";

const CHANGED: ReadonlySet<string> = new Set(["told", "retrying", "succeeded", "failed"]);

/**
 * Gives every device that was told its previous release back; offline ones find the newer directive. Withheld ones too:
 * what they had before is nothing new, and a release that must go has to go from them first of all.
 */
export function revertAll(step: Step): void {
  const isTold = ({ status, attempts }: DeviceRecord) =>
    CHANGED.has(status) || (status === "superseded" && attempts > 0);
  turnBack(step, isTold, {}, "reverted");
}

/** Takes back what was told and has not begun, timed out or not; what has begun runs to its end. */
export function callOff(step: Step): void {
  const unbegun = (record: DeviceRecord) => {
    const facts = () => step.facts.of(record.device);
    return isLeftUnbegun(record, facts) || (record.status === "told" && !hasBegun(record, facts()));
  };
  turnBack(step, unbegun, { outcome: "canceled" }, "aborted");
}

/**
 * Issues the way back for the devices that `which` names, skips those that were not told, and ends when every
 * device that can be reached has settled.
 */
function turnBack(
  step: Step,
  which: (record: DeviceRecord) => boolean,
  change: Partial<DeviceRecord>,
  end: "reverted" | "aborted",
): void {
  for (const [index, record] of step.devices.entries()) {
    if (!which(record) || !isOurs(step, record)) continue;
    if (step.room === 0) {
      step.more = true;
      return;
    }
    sendBack(step, index, record, change);
  }
  if (!skipUntold(step)) {
    step.more = true;
    return;
  }
  if (step.devices.some((record, place) => isUnsettled(step, record, place))) return;
  step.move({ state: end, endedAt: step.now });
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

/**
 * False for a device that was revoked, and for one that another rollout took over: it is left alone, unless that
 * rollout has since given it the release of this one back.
 */
function isOurs({ facts, rollout }: Step, { device, status }: DeviceRecord): boolean {
  const { active, owner, desired } = facts.of(device);
  if (!active || owner === rollout.id) return active;
  const isBack = status === "superseded" && desired?.digest === rollout.release.digest;
  return isBack && owner !== null && facts.hasSentBack(owner, device);
}

/** Issues the way back for one device, whatever the room. False for one that is left alone. */
export function sendBack(
  step: Step,
  index: number,
  record: DeviceRecord,
  change: Partial<DeviceRecord>,
): boolean {
  const { facts, now } = step;
  const { device, hardwareClass } = record;
  if (!isOurs(step, record)) return false;
  const previous = wayBack(
    record.previous,
    record.toldGeneration ?? 0,
    () => facts.installations(device),
    (digest) => step.isQuarantined(digest, hardwareClass),
  );
  step.instruct({ device, release: previous, shadow: null });
  step.change(index, {
    ...record,
    status: "returning",
    previous,
    returnedAt: now,
    notBefore: null,
    ...change,
  });
  return true;
}

/** Who waits is told nothing any more; false where a limit cut that short. */
function skipUntold(step: Step): boolean {
  for (const [index, record] of step.devices.entries()) {
    if (record.status !== "waiting" && record.status !== "held") continue;
    if (step.full) return false;
    step.change(index, { ...record, status: "skipped", outcome: record.outcome ?? "canceled" });
  }
  return true;
}

/** At work and within reach: worth waiting for. */
function isUnsettled(step: Step, record: DeviceRecord, place: number): boolean {
  const { facts, now, rollout } = step;
  const isOnline = () => facts.isOnline(place);
  const isWithheld = () => facts.isWithheld(place);
  const situation = situationOf(record, step.standing(), { isOnline, isWithheld });
  if (situation === "pending" || situation === "silent") return true;
  if (situation !== "returning" || !isOnline()) return false;
  return now - (record.returnedAt ?? 0) < rollout.plan.timeouts.total * 1000;
}
