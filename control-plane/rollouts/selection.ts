import { isMusterError, MusterError } from "@muster/shared/errors";
import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { chooseVariant } from "@muster/shared/protocol/variants";
import type { RolloutPlan } from "./plan.ts";
import { matches, parseSelector, type SelectorSubject } from "./selector.ts";
import type { ExclusionReason } from "./views.ts";
import { counted } from "./words.ts";

/** A device as a plan looks at it. */
export interface Candidate extends SelectorSubject {
  active: boolean;
  hardware: HardwareFacts;
  /** Digest of what it runs. */
  running: string | null;
  /** Digest that its newest directive names; undefined when it never had one. */
  desired: string | null | undefined;
  /** Rollout under way that has this device. */
  rollout: string | null;
}

export interface Excluded {
  candidate: Candidate;
  reason: ExclusionReason;
  sentence: string;
}

export interface Selection {
  matched: number;
  targets: Candidate[];
  excluded: Excluded[];
}

export interface SelectionRelease {
  ref: ReleaseRef;
  manifest: ReleaseManifest;
  /** Hardware classes for which it is in quarantine. */
  quarantined: ReadonlySet<string>;
}

/** Who is in and who is out, and why. */
export function selectTargets(
  candidates: readonly Candidate[],
  release: SelectionRelease,
  plan: Pick<RolloutPlan, "selector" | "force">,
): Selection {
  const selector = parseSelector(plan.selector);
  const matched = candidates.filter((candidate) => matches(selector, candidate));
  const targets: Candidate[] = [];
  const excluded: Excluded[] = [];
  for (const candidate of matched) {
    const out = exclusionOf(candidate, release, plan.force);
    if (out) excluded.push({ candidate, reason: out[0], sentence: out[1] });
    else targets.push(candidate);
  }
  return { matched: matched.length, targets, excluded };
}

function exclusionOf(
  candidate: Candidate,
  { ref, manifest, quarantined }: SelectionRelease,
  force: boolean,
): [ExclusionReason, string] | undefined {
  const { active, running, desired, rollout, hardwareClass } = candidate;
  if (!active) return ["revoked", "It was revoked."];
  if (running === ref.digest && (desired === ref.digest || desired === undefined))
    return ["already-running", `It runs ${ref.name} ${ref.version} already.`];
  const unfit = unfitness(candidate, manifest);
  if (unfit) return ["no-variant", unfit];
  if (!force && quarantined.has(hardwareClass))
    return ["quarantined", `${ref.name} ${ref.version} is in quarantine for ${hardwareClass}.`];
  if (rollout !== null) return ["in-other-rollout", `Rollout ${rollout} is changing it.`];
  return undefined;
}

function unfitness({ hardware }: Candidate, manifest: ReleaseManifest): string | undefined {
  try {
    for (const component of manifest.components)
      if (component.type === "model") chooseVariant(component, hardware);
    return undefined;
  } catch (error) {
    if (isMusterError(error, "release.no-variant")) return error.message;
    throw error;
  }
}

/**
 * A selection that a rollout may begin with.
 * @throws MusterError `release.quarantined`, `request.conflict` that names the other rollout (only where
 * `starting`), or `rollout.no-targets`
 */
export function requireTargets(selection: Selection, starting: boolean): void {
  const { targets, excluded, matched } = selection;
  const outBy = (reason: ExclusionReason) => excluded.filter((each) => each.reason === reason);
  const [quarantined, busy] = [outBy("quarantined"), outBy("in-other-rollout")];
  const [first] = quarantined;
  if (first)
    throw new MusterError(
      "release.quarantined",
      `${first.sentence} That holds for ${counted(quarantined.length, "selected device")}: leave them out by the selector, or force it.`,
    );
  if (starting && busy[0])
    throw new MusterError(
      "request.conflict",
      `${busy[0].sentence} Other rollouts have ${counted(busy.length, "selected device")}: wait for the end or leave them out.`,
    );
  if (targets.length === 0 && (busy.length === 0 || starting))
    throw new MusterError(
      "rollout.no-targets",
      matched === 0
        ? "The selector matches no device."
        : `The selector matches ${counted(matched, "device")}, none of which can take part: ${summary(excluded)}.`,
    );
}

function summary(excluded: readonly Excluded[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of excluded) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(", ");
}
