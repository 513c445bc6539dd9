import { catalogue, type ErrorCode } from "@muster/shared/errors";
import type { Attempt, DeviceFacts, DeviceRecord, Rollout } from "./model.ts";
import { provesRelease } from "./proof.ts";
import { retryOrFail } from "./retries.ts";
import { inPhase, timeoutOf } from "./timeouts.ts";

/** Attempts at `digest` by a directive of this generation or a renewal of it, newest first, with their end. */
function newestEnd(facts: DeviceFacts, since: number, digest: string | null): Attempt | undefined {
  let newest: Attempt | undefined;
  for (const attempt of facts.attempts) {
    const { generation, outcome } = attempt;
    if (generation < since || attempt.digest !== digest || outcome === null || outcome === "superseded")
      continue;
    if (newest === undefined || generation > newest.generation) newest = attempt;
  }
  return newest;
}

/** True when the device is known to have taken up the directive that told it. */
export function hasBegun(record: DeviceRecord, facts: DeviceFacts): boolean {
  const told = record.toldGeneration;
  if (told === null) return false;
  return (
    (facts.reported?.generation ?? 0) >= told || facts.attempts.some(({ generation }) => generation >= told)
  );
}

/** True for a device that was told the release, has not ended with it, and would take it up when it comes back. */
export const isLeftUnbegun = (record: DeviceRecord, facts: () => DeviceFacts): boolean =>
  record.status === "retrying" ||
  (record.status === "failed" && record.outcome === "timed-out" && !hasBegun(record, facts()));

/** True where time alone moves the device on, though nothing was heard of it. */
export const isOverdue = ({ plan }: Rollout, record: DeviceRecord, now: number): boolean =>
  record.status === "told" && timeoutOf(record, plan, now) !== undefined;

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
    case "held":
      return facts.active ? record : { ...record, status: "released", outcome: "canceled" };
    case "told":
    case "retrying":
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

function appraiseTold(rollout: Rollout, record: DeviceRecord, facts: DeviceFacts, now: number): DeviceRecord {
  const { release, manifest, plan } = rollout;
  const told = record.toldGeneration ?? 0;
  const { reported } = facts;
  const inFlight = record.status === "told" || record.status === "retrying";
  if (inFlight && !facts.active) return { ...record, status: "released", outcome: "canceled" };
  if (facts.owner !== rollout.id) return { ...record, status: "superseded", outcome: "superseded" };

  const proven = provesRelease(manifest, release.digest, reported);
  const end = newestEnd(facts, told, release.digest);
  // A device that ran the release before it was told (again) has nothing to do, so there is no attempt to end.
  const ranIt = record.previous?.digest === release.digest || record.attempts > 1;
  const unchanged = ranIt && (reported?.generation ?? 0) >= told && reported?.update === null;
  if (proven && (end ? end.outcome === "succeeded" : unchanged))
    return { ...record, status: "succeeded", outcome: "succeeded", failure: null, notBefore: null };
  if (record.status === "retrying") return record;
  const fail = (outcome: string | null, failure: DeviceRecord["failure"]): DeviceRecord => {
    const failed: DeviceRecord = { ...record, status: "failed", outcome, failure };
    return record.status === "told" ? retryOrFail(rollout, failed, now) : failed;
  };
  if (end && end.outcome !== "succeeded") return fail(end.outcome, end.failure);
  if (!end && reported?.refused && reported.refused.generation >= told)
    return fail("rejected", reported.refused.failure);
  if (record.status !== "told") return contradicted(record, facts, release.digest);

  const { update } = reported ?? {};
  const seen = update && update.generation >= told ? inPhase(record, update.phase, now) : record;
  const timeout = timeoutOf(seen, plan, now);
  return timeout ? fail("timed-out", timeout) : seen;
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
  if (!facts.active) return { ...record, status: "released" };
  if (facts.owner !== rollout.id) return { ...record, status: "superseded" };
  // While an update is under way the device may still roll back to the release that it should leave.
  const settled = reported !== null && reported.update === null && reported.generation >= since;
  if (settled && (reported.running?.digest ?? null) === previous) return { ...record, status: "returned" };
  const end = newestEnd(facts, since, previous);
  const refused = reported?.refused && reported.refused.generation >= since ? reported.refused : undefined;
  const failure = end && end.outcome !== "succeeded" ? end.failure : (refused?.failure ?? undefined);
  if (failure === undefined) return record;
  return { ...record, status: "return-failed", failure };
}

/** Failures of the circumstances: a box without traffic or room says nothing about the release. */
const BLAMELESS: ReadonlySet<string> = new Set<ErrorCode>([
  "probation.no-traffic",
  "shadow.no-memory",
  "storage.full",
]);

/** True for a failure that speaks against the release on this hardware class. */
export const incriminates = ({ status, failure }: DeviceRecord): boolean =>
  status === "failed" && !BLAMELESS.has(failure?.code ?? "");
