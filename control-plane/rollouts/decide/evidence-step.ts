import { appraise, isOverdue } from "../evidence.ts";
import { type DeviceRecord, isSame, OPEN_STATUSES, STRAGGLER_STATUSES } from "../model.ts";
import { contest } from "../rivals.ts";
import { counted } from "../words.ts";
import type { Step } from "./step.ts";

/** Devices that get an event of their own in one decision; the others are counted in one more. */
const NAMED_DEVICES = 20;

const STILL_OPEN: ReadonlySet<string> = new Set([...OPEN_STATUSES, ...STRAGGLER_STATUSES, "held"]);

/**
 * Takes in the evidence and what other rollouts took over. What has ended for good stays as it is: a later
 * rollout may have changed those devices.
 */
export function takeInEvidence(step: Step): void {
  const { rollout, facts, now } = step;
  const over = rollout.endedAt !== null;
  const failures: DeviceRecord[] = [];
  for (const [index, record] of rollout.devices.entries()) {
    if (over && !STILL_OPEN.has(record.status)) continue;
    const contested =
      facts.rivals.length > 0 && (record.status === "waiting" || record.status === "retrying");
    const changed = facts.hasChanged(index) || isOverdue(rollout, record, now);
    if (!contested && !changed) continue;
    const known = () => facts.of(record.device);
    let next = changed ? appraise(rollout, record, known(), now) : record;
    const open = contested && next.status === record.status;
    if (open && contest(rollout, next, () => known().owner, facts.rivals) === "superseded")
      next = { ...next, status: "superseded", outcome: "superseded", notBefore: null };
    if (isSame(record, next)) continue;
    if (next.status !== record.status && (next.status === "failed" || next.status === "retrying"))
      failures.push(next);
    step.change(index, next);
    if (!step.full) continue;
    step.more = true;
    step.appraised = false;
    break;
  }
  tellFailures(step, failures);
}

function tellFailures(step: Step, failures: readonly DeviceRecord[]): void {
  for (const record of failures.slice(0, NAMED_DEVICES)) {
    const { status, name, site, outcome, failure, notBefore, attempts } = record;
    const reason = failure?.message ?? "no reason was given";
    const seconds = Math.max(0, Math.round(((notBefore ?? step.now) - step.now) / 1000));
    if (status === "retrying")
      step.event(
        "device-retries",
        `${name} at ${site} failed (${outcome}) and is tried again in ${seconds} s: ${reason}`,
        { attempts, seconds },
      );
    else step.event("device-failed", `${name} at ${site} failed (${outcome}): ${reason}`, { attempts });
  }
  const rest = failures.length - NAMED_DEVICES;
  if (rest > 0) step.event("devices-failed", `${counted(rest, "more device")} failed.`, { devices: rest });
}
