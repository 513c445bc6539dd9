import { isOpen, nextOpening } from "@muster/shared/time/opening";
import type { RolloutPlan } from "../plan.ts";
import { BlastRadiusBudget } from "./blast-radius.ts";
import type { AdmissionCandidate, PlaceFacts } from "./facts.ts";
import { type Freeze, frozenUntil } from "./freeze.ts";
import { roomInFlight } from "./in-flight.ts";
import { PaceBudget, type PaceState } from "./pace.ts";
import { UplinkBudget } from "./uplink.ts";

/** Why a device is not told now. Of several reasons the first in this order is said. */
export type HoldReason =
  | "withheld"
  | "offline"
  | "retry"
  | "freeze"
  | "window"
  | "other-rollout"
  | "in-flight"
  | "blast-radius"
  | "uplink"
  | "pace"
  | "tick";

export interface AdmissionInput {
  plan: Pick<RolloutPlan, "pace" | "maxInFlight" | "blastRadius" | "uplinkSharePercent" | "windows">;
  /** In the order in which they are wanted. */
  candidates: readonly AdmissionCandidate[];
  places: PlaceFacts;
  /** All that are known; those that do not hold now are passed over. */
  freezes: readonly Freeze[];
  /** As the last `admit` of this rollout answered it, null at first. */
  pace: PaceState | null;
  /** Devices of the rollout that were told so far, over all waves. */
  notified: number;
  /** Devices of the rollout that succeeded so far. */
  succeeded: number;
  /** Devices of the rollout that were told and have not ended. */
  inFlight: number;
  /** Most devices in this call. */
  room: number;
  /** Milliseconds between two ticks: a burst is never larger than what the pace brings in that time. */
  tickMs: number;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface Admission {
  /** In the order of the candidates. */
  admitted: string[];
  held: Map<string, HoldReason>;
  /** To be stored with the rollout; the same object where it did not change. */
  pace: PaceState | null;
  /** When time alone may let a held device go, milliseconds since the epoch; null where only facts can. */
  nextAt: number | null;
}

/**
 * Which devices may be told now, and for each other one what keeps it. Candidates are looked at in their order;
 * one that is held for a reason of its own or of its place takes nothing from those behind it.
 */
export function admit(input: AdmissionInput): Admission {
  const admission = new Admitting(input);
  for (const candidate of input.candidates) admission.consider(candidate);
  return admission.result();
}

/** What holds every device of a site, and until when. */
interface SiteHold {
  reason: "freeze" | "window";
  until: number;
}

class Admitting {
  readonly #input: AdmissionInput;
  readonly #admitted: string[] = [];
  readonly #held = new Map<string, HoldReason>();
  readonly #siteHolds = new Map<string, SiteHold | null>();
  readonly #blastRadius: BlastRadiusBudget;
  readonly #uplink: UplinkBudget;
  readonly #pace: PaceBudget;
  readonly #roomInFlight: number;
  #nextAt = Number.POSITIVE_INFINITY;

  constructor(input: AdmissionInput) {
    const { plan, places } = input;
    this.#input = input;
    this.#blastRadius = new BlastRadiusBudget(plan.blastRadius, places);
    this.#uplink = new UplinkBudget(plan.uplinkSharePercent, places);
    this.#pace = new PaceBudget({ ...input, pace: plan.pace, state: input.pace });
    this.#roomInFlight = roomInFlight(plan.maxInFlight, input.inFlight);
  }

  consider(candidate: AdmissionCandidate): void {
    const reason = this.#holdOf(candidate);
    if (reason !== null) {
      this.#held.set(candidate.device, reason);
      return;
    }
    this.#blastRadius.take(candidate);
    this.#uplink.take(candidate);
    this.#admitted.push(candidate.device);
  }

  result(): Admission {
    const nextAt = this.#nextAt === Number.POSITIVE_INFINITY ? null : this.#nextAt;
    const pace = this.#pace.after(this.#admitted.length);
    return { admitted: this.#admitted, held: this.#held, pace, nextAt };
  }

  #holdOf(candidate: AdmissionCandidate): HoldReason | null {
    const { now, room, tickMs } = this.#input;
    if (!candidate.online) return "offline";
    if (candidate.notBefore !== null && candidate.notBefore > now) {
      this.#lookAt(candidate.notBefore);
      return "retry";
    }
    const siteHold = this.#siteHold(candidate.site);
    if (siteHold !== null) {
      this.#lookAt(siteHold.until);
      return siteHold.reason;
    }
    if (candidate.busyElsewhere) return "other-rollout";
    const told = this.#admitted.length;
    if (told >= this.#roomInFlight) return "in-flight";
    if (!this.#blastRadius.permits(candidate)) return "blast-radius";
    if (!this.#uplink.permits(candidate)) return "uplink";
    if (told >= this.#pace.devices) {
      this.#lookAt(this.#pace.nextAt(told));
      return "pace";
    }
    if (told >= room) {
      this.#lookAt(now + tickMs);
      return "tick";
    }
    return null;
  }

  #siteHold(site: string): SiteHold | null {
    let hold = this.#siteHolds.get(site);
    if (hold === undefined) {
      hold = this.#findSiteHold(site);
      this.#siteHolds.set(site, hold);
    }
    return hold;
  }

  #findSiteHold(site: string): SiteHold | null {
    const { freezes, now, places, plan } = this.#input;
    const thaw = frozenUntil(freezes, site, now);
    if (thaw !== null) return { reason: "freeze", until: thaw };
    if (plan.windows === "any") return null;
    const terms = places.siteOf(site);
    const windows = plan.windows === "site" ? terms.windows : plan.windows;
    if (isOpen(windows, terms.timeZone, now)) return null;
    return { reason: "window", until: nextOpening(windows, terms.timeZone, now) };
  }

  #lookAt(moment: number): void {
    this.#nextAt = Math.min(this.#nextAt, moment);
  }
}
