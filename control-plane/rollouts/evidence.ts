import { catalogue, type ErrorCode } from "@muster/shared/errors";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";
import type { Attempt, DeviceFacts, DeviceRecord, Rollout } from "./model.ts";

/** True when the device proves to run this release: its digest, and every component as the manifest has it. */
export function provesRelease(
  manifest: ReleaseManifest,
  digest: string,
  reported: ReportedState | null,
): boolean {
  if (reported?.running?.digest !== digest) return false;
  const hasModels = manifest.components.some(({ type }) => type === "model");
  if (hasModels ? reported.runner !== "ready" : reported.runner === "failed") return false;
  return (
    reported.components.length === manifest.components.length &&
    manifest.components.every((component) => {
      const running = reported.components.find(
        ({ type, name }) => type === component.type && name === component.name,
      );
      return running !== undefined && isBuildOf(component, running);
    })
  );
}

function isBuildOf(component: ReleaseManifest["components"][number], running: RunningComponent): boolean {
  if (running.version !== component.version) return false;
  if (component.type === "config") return running.digest === component.document.digest;
  return component.variants.some(
    ({ id, model }) => id === running.variant && model.digest === running.digest,
  );
}

/** Attempts at `digest` by a directive of this generation or a renewal of it, newest first, with their end. */
function endedAttempts(facts: DeviceFacts, since: number, digest: string | null): Attempt[] {
  return facts.attempts
    .filter((attempt) => attempt.generation >= since && attempt.digest === digest)
    .filter(({ outcome }) => outcome !== null && outcome !== "superseded")
    .toSorted((a, b) => b.generation - a.generation);
}

/** True when the device is known to have taken up the directive that told it. */
export function hasBegun(record: DeviceRecord, facts: DeviceFacts): boolean {
  const told = record.toldGeneration;
  if (told === null) return false;
  return (
    (facts.reported?.generation ?? 0) >= told || facts.attempts.some(({ generation }) => generation >= told)
  );
}

const timedOut = (seconds: number) => ({
  outcome: "timed-out",
  failure: {
    code: "rollout.timed-out",
    message: `It told no end within ${seconds} s of being reached.`,
  },
});

/**
 * A device record as the facts of this moment have it. The same facts give the same record however often and in
 * whatever order they are seen; a device that timed out and then proves success has succeeded.
 */
export function appraise(
  rollout: Rollout,
  record: DeviceRecord,
  facts: DeviceFacts,
  now: number,
): DeviceRecord {
  switch (record.status) {
    case "waiting":
      return facts.active ? record : released(record, "canceled");
    case "told":
    case "succeeded":
    case "failed":
      return appraiseTold(rollout, record, facts, now);
    case "returning":
    case "return-failed":
      return appraiseReturn(rollout, record, facts);
    default:
      return record;
  }
}

const released = (record: DeviceRecord, outcome: string): DeviceRecord => ({
  ...record,
  status: "released",
  outcome,
});

function appraiseTold(rollout: Rollout, record: DeviceRecord, facts: DeviceFacts, now: number): DeviceRecord {
  const { release, manifest, plan } = rollout;
  const told = record.toldGeneration ?? 0;
  if (record.status === "told" && !facts.active) return released(record, "canceled");
  if (facts.owner !== rollout.id) return released(record, "superseded");
  const reachedAt = record.reachedAt ?? (facts.online || hasBegun(record, facts) ? now : null);
  const reached = { ...record, reachedAt };

  const proven = provesRelease(manifest, release.digest, facts.reported);
  const [end] = endedAttempts(facts, told, release.digest);
  // A device that ran the release before it was told has nothing to do, so there is no attempt to end.
  const unchanged = record.previous?.digest === release.digest && (facts.reported?.generation ?? 0) >= told;
  if (proven && (end ? end.outcome === "succeeded" : unchanged))
    return { ...reached, status: "succeeded", outcome: "succeeded", failure: null };
  if (end && end.outcome !== "succeeded")
    return { ...reached, status: "failed", outcome: end.outcome, failure: end.failure };

  const { refused } = facts.reported ?? {};
  if (!end && refused && refused.generation >= told)
    return { ...reached, status: "failed", outcome: "rejected", failure: refused.failure };
  if (record.status !== "told") return contradicted(reached, facts, release.digest);
  if (reachedAt !== null && now - reachedAt >= plan.deviceTimeoutSeconds * 1000)
    return { ...reached, status: "failed", ...timedOut(plan.deviceTimeoutSeconds) };
  return reached;
}

/** A success that no longer holds is a failure; a runner that is only starting proves neither. */
function contradicted(record: DeviceRecord, facts: DeviceFacts, digest: string): DeviceRecord {
  const { reported } = facts;
  if (record.status !== "succeeded" || !reported) return record;
  const other = reported.runner === "ready" && reported.running?.digest !== digest;
  if (reported.runner !== "failed" && !other) return record;
  const failure = other
    ? { code: "release.digest-mismatch", message: "It proved the release and then ran another one." }
    : { code: "runner.crashed", message: catalogue["runner.crashed"].meaning };
  return { ...record, status: "failed", outcome: "unproven", failure };
}

function appraiseReturn(rollout: Rollout, record: DeviceRecord, facts: DeviceFacts): DeviceRecord {
  const since = record.returnGeneration ?? 0;
  const previous = record.previous?.digest ?? null;
  const { reported } = facts;
  if (!facts.active || facts.owner !== rollout.id) return { ...record, status: "released" };
  // While an update is under way the device may still roll back to the release that it should leave.
  const settled = reported !== null && reported.update === null && reported.generation >= since;
  if (settled && (reported.running?.digest ?? null) === previous) return { ...record, status: "returned" };
  const [end] = endedAttempts(facts, since, previous);
  const refused = reported?.refused && reported.refused.generation >= since ? reported.refused : undefined;
  const failure = end && end.outcome !== "succeeded" ? end.failure : (refused?.failure ?? undefined);
  if (failure === undefined) return record;
  return { ...record, status: "return-failed", failure };
}

/** Failures of the circumstances: a box without traffic or room says nothing about the release. */
const BLAMELESS: ReadonlySet<string> = new Set<ErrorCode>(["probation.no-traffic", "storage.full"]);

/** True for a failure that speaks against the release on this hardware class. */
export const incriminates = ({ status, failure }: DeviceRecord): boolean =>
  status === "failed" && !BLAMELESS.has(failure?.code ?? "");
