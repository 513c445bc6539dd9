import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Directive } from "@muster/shared/trust/directive";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutDeviceStatus } from "../storage/tables/rollouts.ts";
import type { Attempt, DeviceFacts, FactsOf } from "./model.ts";
import type { LivenessPort } from "./ports.ts";

const UNKNOWN: DeviceFacts = {
  active: false,
  online: false,
  owner: null,
  desired: null,
  reported: null,
  attempts: [],
};

/** Everything known now of the devices of a rollout, or of those of some statuses, in two queries. */
export async function readFacts(
  db: Kysely<ControlTables>,
  rollout: string,
  liveness: LivenessPort,
  statuses?: readonly RolloutDeviceStatus[],
): Promise<FactsOf> {
  const members = db
    .selectFrom("rollout_devices")
    .select("rollout_devices.device")
    .where("rollout_devices.rollout", "=", rollout)
    .$if(statuses !== undefined, (query) => query.where("rollout_devices.status", "in", statuses ?? []));
  const devices = await db
    .selectFrom("devices")
    .select(["id", "status", "directive", "reported"])
    .where("id", "in", members)
    .execute();
  const updates = await db
    .selectFrom("device_updates")
    .select(["device", "generation", "release", "outcome", "failure"])
    .where("rollout", "=", rollout)
    .where("device", "in", members)
    .execute();
  const attempts = new Map<string, Attempt[]>();
  for (const { device, generation, release, outcome, failure } of updates) {
    const digest = release === null ? null : ((JSON.parse(release) as ReleaseRef | null)?.digest ?? null);
    const attempt: Attempt = {
      generation,
      digest,
      outcome,
      failure: failure === null ? null : (JSON.parse(failure) as Failure),
    };
    const former = attempts.get(device);
    if (former) former.push(attempt);
    else attempts.set(device, [attempt]);
  }
  const facts = new Map<string, DeviceFacts>();
  for (const { id, status, directive, reported } of devices) {
    const payload = directive === null ? null : (JSON.parse(directive) as Directive).payload;
    const state = reported === null ? null : (JSON.parse(reported) as ReportedState);
    facts.set(id, {
      active: status === "active",
      online: liveness.livenessOf(id) !== "offline",
      owner: payload?.rollout ?? null,
      desired: payload?.release ?? null,
      reported: state,
      attempts: [...(attempts.get(id) ?? []), ...fromState(state)],
    });
  }
  return (device) => facts.get(device) ?? UNKNOWN;
}

/** The last end that the reported state carries: it may be here before the record of the outbox. */
function fromState(state: ReportedState | null): Attempt[] {
  if (!state?.lastResult) return [];
  const { generation, release, outcome, failure } = state.lastResult;
  return [{ generation, digest: release?.digest ?? null, outcome, failure: failure ?? null }];
}
