import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Labels, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { DirectivePayload } from "@muster/shared/trust/directive";
import type { Assurance, TrustStanding, VerdictTier } from "../attestation/verdict.ts";
import type { Attempt } from "./attempts.ts";
import type { Liveness } from "./liveness.ts";
import type { DevicePresence } from "./presence.ts";
import type { SelectorSubject } from "./selector.ts";
import type { SiteBook } from "./site-book.ts";
import { tierAt, withheldBecause } from "./trust.ts";
import type { DeviceStatus } from "./types.ts";

/** The newest verdict on a device as it is stored. Times in milliseconds since the epoch. */
export interface StoredVerdict {
  readonly tier: VerdictTier;
  /** When the evidence was appraised. */
  readonly at: number;
  /** From this moment on it counts as `none`. */
  readonly notAfter: number;
  /** Policy keeps everything new from the device for it, until newer evidence passes. */
  readonly withheld: boolean;
  /** From this moment on it gets nothing new unless newer evidence comes; null for never. */
  readonly withheldAfter: number | null;
  readonly sentence: string;
}

/** What the database holds of a device, parsed. */
export interface DeviceFacts {
  readonly id: string;
  readonly name: string;
  readonly site: string;
  /** Its own. */
  readonly labels: Labels;
  readonly hardware: HardwareFacts;
  readonly hardwareClass: string;
  readonly status: DeviceStatus;
  readonly agentVersion: string | null;
  /** Generation of the newest directive, 0 when there is none. */
  readonly generation: number;
  /** The newest directive. */
  readonly directive: DirectivePayload | null;
  readonly reported: ReportedState | null;
  readonly assurance: Assurance;
  /** Null for a device that is not in quarantine. */
  readonly quarantinedReason: string | null;
}

/** Whether a device is there, at the moment that it is asked. */
type Heard = Pick<DevicePresence, "liveness" | "lastSeenAt">;

/** What a device has to ask others for, at the moment that it is asked. */
export interface Surroundings {
  readonly sites: SiteBook;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Undefined for a device that has just come. */
  presenceOf(device: string): Heard | undefined;
  attempts(rollout: string, device: string): readonly Attempt[];
  /** Null before the first one. */
  verdictOf(device: string): StoredVerdict | null;
  inGroup(device: FleetDevice, group: string): boolean | undefined;
  inAnyGroup(device: FleetDevice): boolean;
}

/** One device of the picture. It never changes: a change of its row makes a new one. Liveness is that of now. */
export class FleetDevice implements DeviceFacts, SelectorSubject {
  readonly id: string;
  readonly name: string;
  readonly site: string;
  readonly labels: Labels;
  readonly hardware: HardwareFacts;
  readonly hardwareClass: string;
  readonly status: DeviceStatus;
  readonly agentVersion: string | null;
  readonly generation: number;
  readonly directive: DirectivePayload | null;
  readonly reported: ReportedState | null;
  readonly assurance: Assurance;
  readonly quarantinedReason: string | null;
  /** Null before the first one. */
  readonly verdict: StoredVerdict | null;
  /** It changes just now or does not serve, by its own word. */
  readonly disturbed: boolean;
  /** Revision of the directory at which its row or its attempts last changed. */
  readonly revision: number;
  readonly #surroundings: Surroundings;
  #presence: Heard | undefined;
  #inherited: { sites: SiteBook; labels: Labels } | undefined;

  constructor(facts: DeviceFacts, revision: number, surroundings: Surroundings) {
    this.id = facts.id;
    this.name = facts.name;
    this.site = facts.site;
    this.labels = facts.labels;
    this.hardware = facts.hardware;
    this.hardwareClass = facts.hardwareClass;
    this.status = facts.status;
    this.agentVersion = facts.agentVersion;
    this.generation = facts.generation;
    this.directive = facts.directive;
    this.reported = facts.reported;
    this.assurance = facts.assurance;
    this.quarantinedReason = facts.quarantinedReason;
    this.verdict = surroundings.verdictOf(facts.id);
    this.disturbed =
      facts.reported !== null && (facts.reported.update !== null || facts.reported.runner === "failed");
    this.revision = revision;
    this.#surroundings = surroundings;
  }

  /** Labels of its site and of the sites above; nearer ones win, its own win over all. */
  get effectiveLabels(): Labels {
    const { sites } = this.#surroundings;
    if (this.#inherited?.sites !== sites)
      this.#inherited = { sites, labels: sites.labelsWith(this.site, this.labels) };
    return this.#inherited.labels;
  }

  get liveness(): Liveness {
    return this.#ownPresence()?.liveness ?? "offline";
  }

  /** Any liveness but offline. */
  get online(): boolean {
    return this.liveness !== "offline";
  }

  /** Milliseconds since the epoch. */
  get lastSeenAt(): number | null {
    return this.#ownPresence()?.lastSeenAt ?? null;
  }

  /** Still one of the fleet: not revoked. */
  get active(): boolean {
    return this.status !== "revoked";
  }

  /** What selectors, gates and everything that gives something new ask. The verdict is that of now. */
  get trust(): TrustStanding {
    return {
      assurance: this.assurance,
      verdict: tierAt(this.verdict, this.#surroundings.now()),
      withheld: this.withheldBecause !== null,
    };
  }

  /** Why it gets nothing new at this moment, one sentence; null for a device that passes. */
  get withheldBecause(): string | null {
    return withheldBecause(this, this.verdict, this.#surroundings.now());
  }

  get arch(): string {
    return this.hardware.arch;
  }

  /** What it proved to run. */
  get running(): ReleaseRef | null {
    return this.reported?.running ?? null;
  }

  /** What it told of the updates that this rollout began, by generation, oldest first. */
  attempts(rollout: string): readonly Attempt[] {
    return this.#surroundings.attempts(rollout, this.id);
  }

  inGroup(group: string): boolean | undefined {
    return this.#surroundings.inGroup(this, group);
  }

  inAnyGroup(): boolean {
    return this.#surroundings.inAnyGroup(this);
  }

  /** Asked for once: liveness is read for every device of the fleet, many times a minute. */
  #ownPresence(): Heard | undefined {
    this.#presence ??= this.#surroundings.presenceOf(this.id);
    return this.#presence;
  }
}
