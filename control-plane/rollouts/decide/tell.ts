import { type Admission, admit } from "../admission/admit.ts";
import type { AdmissionCandidate } from "../admission/facts.ts";
import type { DeviceRecord } from "../model.ts";
import { contest, isGoingBack } from "../rivals.ts";
import { shadowOf } from "../shadow.ts";
import type { Step } from "./step.ts";
import type { Places } from "./types.ts";

/** Candidates for each free place that are looked at first. */
const LOOKED_AT = 10;

/**
 * Tells the devices of the open wave, and late ones of those before: only those that are there and not withheld, as many
 * as admission lets through. What keeps each other one is remembered.
 */
export function tell(step: Step): void {
  // Most of the time the first ones fill the room: looking at all others would only find that there is none left.
  const places = step.facts.around(step.devices);
  const few = candidatesOf(step, places, step.room * LOOKED_AT);
  const first = admitted(step, places, few.wanted);
  const cut = few.cut && first !== undefined && first.admitted.length === step.room;
  const { wanted } = few.cut && !cut ? candidatesOf(step, places, Number.POSITIVE_INFINITY) : few;
  const admission = few.cut && !cut ? admitted(step, places, wanted) : first;
  if (!admission) return;
  if (cut) step.more = true;
  for (const [device, reason] of admission.held) {
    step.held.set(device, reason);
    if (reason === "tick") step.more = true;
  }
  for (const device of admission.admitted) {
    const entry = wanted.get(device);
    if (!entry) continue;
    step.instruct({
      device,
      release: step.rollout.release,
      shadow: shadowOf(step.rollout.plan, entry.record),
    });
    step.change(entry.index, told(entry.record, step));
  }
  if (admission.admitted.length > 0) step.move({ pace: admission.pace });
}

function admitted(step: Step, places: Places, wanted: ReadonlyMap<string, Wanted>): Admission | undefined {
  if (wanted.size === 0) return undefined;
  const { rollout, facts, now, limits, progress } = step;
  const { all } = step.counts();
  return admit({
    plan: rollout.plan,
    candidates: [...wanted.values()].map(({ candidate }) => candidate),
    places,
    freezes: facts.freezes,
    pace: progress.pace,
    notified: step.devices.reduce((count, { attempts }) => count + (attempts > 0 ? 1 : 0), 0),
    succeeded: all.succeeded,
    inFlight: all.pending + all.silent,
    room: step.room,
    tickMs: limits.tickMs,
    now,
  });
}

interface Wanted {
  index: number;
  record: DeviceRecord;
  candidate: AdmissionCandidate;
}

/** In their order, so many at most. Those that are withheld, away or wait for their retry need no further question. */
function candidatesOf(
  step: Step,
  places: Places,
  most: number,
): { wanted: Map<string, Wanted>; cut: boolean } {
  const { facts, now, rollout, progress } = step;
  const { site: ofSite, region, hardwareClass: ofClass } = rollout.plan.blastRadius;
  const isLimited = (ofSite ?? region ?? ofClass) !== undefined;
  const wanted = new Map<string, Wanted>();
  for (const [index, record] of step.devices.entries()) {
    if (record.status !== "waiting" && record.status !== "retrying") continue;
    if (record.wave > (progress.wave ?? -1)) continue;
    if (wanted.size >= most) return { wanted, cut: true };
    const { device, notBefore, bytes } = record;
    if (facts.isWithheld(index)) step.held.set(device, "withheld");
    else if (!facts.isOnline(index)) step.held.set(device, "offline");
    else if (notBefore !== null && notBefore > now) step.held.set(device, "retry");
    else {
      const busy =
        facts.rivals.length > 0 &&
        contest(rollout, record, () => facts.of(device).owner, facts.rivals) !== "free";
      const { site, hardwareClass } = places.whereIs(record);
      const candidate: AdmissionCandidate = {
        device,
        site,
        hardwareClass,
        online: true,
        unavailable: isLimited && places.isUnavailable(device),
        notBefore,
        busyElsewhere: busy,
        bytes,
      };
      wanted.set(device, { index, record, candidate });
    }
  }
  return { wanted, cut: false };
}

function told(record: DeviceRecord, { facts, now }: Step): DeviceRecord {
  const { reported, desired } = facts.of(record.device);
  const running = isGoingBack(record.device, facts.rivals) ? desired : (reported?.running ?? desired);
  return {
    ...record,
    status: "told",
    previous: record.attempts > 0 ? record.previous : running,
    attempts: record.attempts + 1,
    toldAt: now,
    phase: null,
    phaseAt: null,
    notBefore: null,
    outcome: null,
    failure: null,
  };
}
