import { isMusterError, MusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { plannedVariants } from "@muster/shared/protocol/variants";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import { groupedBy } from "../fleet/grouped.ts";
import { meetsAll, parseSelector } from "../fleet/selector.ts";
import type { Claim } from "./candidates.ts";
import type { RolloutPlan } from "./plan.ts";
import { counted } from "./words.ts";

/** Why a device that the selector describes takes no part. */
export type ExclusionReason = "revoked" | "no-variant" | "quarantined" | "already-running";

export interface Excluded {
  device: FleetDevice;
  reason: ExclusionReason;
  sentence: string;
}

/** A target that another rollout under way has as well: priority decides, so it stays a target. */
export interface Contended {
  device: FleetDevice;
  rollout: string;
  /** True when this plan takes the device over, false when the other rollout has it first. */
  takesOver: boolean;
  sentence: string;
}

export interface Selection {
  /** Devices that the selector describes, revoked ones included. */
  matched: number;
  /** By site and name. */
  targets: FleetDevice[];
  excluded: Excluded[];
  contended: Contended[];
}

export interface SelectionRelease {
  ref: ReleaseRef;
  manifest: ReleaseManifest;
  /** Hardware classes for which it is in quarantine. */
  quarantined: ReadonlySet<string>;
}

/**
 * Who is in and who is out, and why; and who is wanted by another rollout too.
 * @throws MusterError `selector.invalid`, also for a group that does not exist
 */
export function selectTargets(
  directory: Pick<Directory, "inOrder" | "requireGroups">,
  release: SelectionRelease,
  plan: Pick<RolloutPlan, "release" | "selector" | "waves" | "force" | "priority">,
  claims: ReadonlyMap<string, Claim>,
): Selection {
  const selector = parseSelector(plan.selector);
  directory.requireGroups(selector);
  for (const wave of plan.waves)
    if ("selector" in wave) directory.requireGroups(parseSelector(wave.selector));
  const unfitness = new Unfitness(release.manifest);
  const selection: Selection = { matched: 0, targets: [], excluded: [], contended: [] };
  for (const device of directory.inOrder()) {
    if (!meetsAll(selector, device)) continue;
    selection.matched += 1;
    const out = exclusionOf(device, release, plan.force, unfitness);
    if (out) {
      selection.excluded.push({ device, reason: out[0], sentence: out[1] });
      continue;
    }
    selection.targets.push(device);
    const claim = claims.get(device.id);
    if (claim) selection.contended.push(contention(device, claim, plan));
  }
  return selection;
}

/** Why the device cannot take part in a rollout of this release, undefined when it can. */
function exclusionOf(
  device: FleetDevice,
  { ref, quarantined }: SelectionRelease,
  force: boolean,
  unfitness: Unfitness,
): [ExclusionReason, string] | undefined {
  const { active, running, directive, hardware, hardwareClass } = device;
  if (!active) return ["revoked", "It was revoked."];
  if (running?.digest === ref.digest && (!directive || directive.release?.digest === ref.digest))
    return ["already-running", `It runs ${ref.name} ${ref.version} already.`];
  const unfit = unfitness.of(hardware);
  if (unfit !== null) return ["no-variant", unfit];
  if (!force && quarantined.has(hardwareClass))
    return ["quarantined", `${ref.name} ${ref.version} is in quarantine for ${hardwareClass}.`];
  return undefined;
}

/** The higher priority goes first; of equal ones the older, unless both are about the same release name. */
function contention(
  device: FleetDevice,
  { rollout, name, priority }: Claim,
  plan: Pick<RolloutPlan, "release" | "priority">,
): Contended {
  const takesOver = plan.priority > priority || (plan.priority === priority && plan.release.name === name);
  return {
    device,
    rollout,
    takesOver,
    sentence: takesOver
      ? `Rollout ${rollout} of priority ${priority} has it: this one takes it over once nothing changes on it.`
      : `Rollout ${rollout} of priority ${priority} has it first: this one waits for its end there.`,
  };
}

/** Whether a release has a variant for a box; boxes of one kind are looked at once. */
class Unfitness {
  readonly #manifest: ReleaseManifest;
  readonly #known = new Map<HardwareFacts, string | null>();

  constructor(manifest: ReleaseManifest) {
    this.#manifest = manifest;
  }

  of(hardware: HardwareFacts): string | null {
    let unfit = this.#known.get(hardware);
    if (unfit === undefined) {
      unfit = this.#examine(hardware);
      this.#known.set(hardware, unfit);
    }
    return unfit;
  }

  #examine(hardware: HardwareFacts): string | null {
    try {
      for (const component of this.#manifest.components)
        if (component.type === "model") plannedVariants(component, hardware);
      return null;
    } catch (error) {
      if (isMusterError(error, "release.no-variant")) return error.message;
      throw error;
    }
  }
}

/**
 * A selection that a rollout may begin with.
 * @throws MusterError `release.quarantined` or `rollout.no-targets`
 */
export function requireTargets({ targets, excluded, matched }: Selection): void {
  const quarantined = excluded.filter(({ reason }) => reason === "quarantined");
  const [first] = quarantined;
  if (first)
    throw new MusterError(
      "release.quarantined",
      `${first.sentence} That holds for ${counted(quarantined.length, "selected device")}: leave them out by the selector, or force it.`,
    );
  if (targets.length === 0)
    throw new MusterError(
      "rollout.no-targets",
      matched === 0
        ? "The selector matches no device."
        : `The selector matches ${counted(matched, "device")}, none of which can take part: ${summary(excluded)}.`,
    );
}

function summary(excluded: readonly Excluded[]): string {
  const counts = groupedBy(excluded, ({ reason }) => reason);
  return [...counts].map(([reason, devices]) => `${devices.length} ${reason}`).join(", ");
}
