import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Failure, Labels, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Directive } from "@muster/shared/trust/directive";
import type { DeviceEventsTable, DevicesTable, DeviceUpdatesTable } from "../storage/tables/fleet.ts";
import type { Liveness } from "./liveness.ts";
import type { DeviceDetail, DeviceSummary, TimelineEntry } from "./types.ts";

/** What is known of a device outside its row. */
export interface Live {
  liveness: Liveness;
  lastSeenAt: number | null;
}

const parse = <T>(json: string | null): T | null => (json === null ? null : (JSON.parse(json) as T));

export function summaryOf(row: DevicesTable, live: Live): DeviceSummary {
  const reported = parse<ReportedState>(row.reported);
  return {
    id: row.id,
    name: row.name,
    site: row.site,
    labels: JSON.parse(row.labels) as Labels,
    status: row.status,
    liveness: live.liveness,
    lastSeenAt: live.lastSeenAt,
    hardwareClass: row.hardware_class,
    agentVersion: row.agent_version,
    generation: row.generation,
    running: reported?.running ?? null,
    update: reported?.update ?? null,
    lastResult: reported?.lastResult ?? null,
  };
}

export function detailOf(
  row: DevicesTable,
  live: Live,
  more: { connected: boolean; storedResults: number },
): DeviceDetail {
  return {
    ...summaryOf(row, live),
    hardware: JSON.parse(row.hardware) as HardwareFacts,
    signingKey: row.signing_key,
    enrolledAt: row.enrolled_at,
    joinToken: row.join_token,
    certificate: { serial: row.certificate_serial, expiresAt: row.certificate_expires_at },
    connected: more.connected,
    reported: parse<ReportedState>(row.reported),
    reportedAt: row.reported_at,
    directive: parse<Directive>(row.directive)?.payload ?? null,
    storedResults: more.storedResults,
    revoked: row.revoked_at === null ? null : { at: row.revoked_at, reason: row.revoked_reason ?? "" },
  };
}

export const updateEntry = (row: DeviceUpdatesTable): TimelineEntry => ({
  kind: "update",
  at: row.at,
  generation: row.generation,
  rollout: row.rollout,
  release: parse<ReleaseRef>(row.release),
  phase: row.phase,
  outcome: row.outcome,
  failure: parse<Failure>(row.failure),
  startedAt: row.started_at,
});

export const eventEntry = (row: DeviceEventsTable): TimelineEntry => ({
  kind: "event",
  at: row.at,
  source: row.source,
  code: row.code,
  message: row.message,
});
