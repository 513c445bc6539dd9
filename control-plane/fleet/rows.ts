import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Selectable } from "kysely";
import type { DeviceEventsTable, DevicesTable, DeviceUpdatesTable } from "../storage/tables/fleet.ts";
import type { FleetDevice } from "./fleet-device.ts";
import type { DeviceDetail, DeviceSummary, TimelineEntry } from "./types.ts";

const parse = <T>(json: string | null): T | null => (json === null ? null : (JSON.parse(json) as T));

export const summaryOf = (device: FleetDevice): DeviceSummary => ({
  id: device.id,
  name: device.name,
  site: device.site,
  labels: device.labels,
  status: device.status,
  liveness: device.liveness,
  lastSeenAt: device.lastSeenAt,
  hardwareClass: device.hardwareClass,
  agentVersion: device.agentVersion,
  generation: device.generation,
  running: device.running,
  update: device.reported?.update ?? null,
  lastResult: device.reported?.lastResult ?? null,
  trust: device.trust,
  withheldBecause: device.withheldBecause,
});

export function detailOf(
  device: FleetDevice,
  row: Selectable<DevicesTable>,
  more: { groups: string[]; connected: boolean; storedResults: number; withheldResults: number },
): DeviceDetail {
  const { labels, effectiveLabels, hardware, reported, directive } = device;
  return {
    ...summaryOf(device),
    inheritedLabels: Object.fromEntries(
      Object.entries(effectiveLabels).filter(([key]) => !Object.hasOwn(labels, key)),
    ),
    groups: more.groups,
    hardware,
    verdictSentence: device.verdict?.sentence ?? null,
    signingKey: row.signing_key,
    enrolledAt: row.enrolled_at,
    joinToken: row.join_token,
    identity: {
      assurance: row.assurance,
      reason: row.assurance_reason,
      ekName: row.ek_name,
      akName: row.ak_name,
      sealingKey: row.sealing_key,
      replaces: row.replaces,
      replacedBy: row.replaced_by,
    },
    quarantined:
      row.quarantined_at === null || device.status !== "quarantined"
        ? null
        : { at: row.quarantined_at, reason: row.quarantined_reason ?? "" },
    decommissionedAt: row.decommissioned_at,
    certificate: { serial: row.certificate_serial, expiresAt: row.certificate_expires_at },
    connected: more.connected,
    reported,
    reportedAt: row.reported_at,
    directive,
    storedResults: more.storedResults,
    withheldResults: more.withheldResults,
    revoked: row.revoked_at === null ? null : { at: row.revoked_at, reason: row.revoked_reason ?? "" },
  };
}

export const updateEntry = (row: Selectable<DeviceUpdatesTable>): TimelineEntry => ({
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

export const eventEntry = (row: Selectable<DeviceEventsTable>): TimelineEntry => ({
  kind: "event",
  at: row.at,
  source: row.source,
  code: row.code,
  message: row.message,
  withheld: row.withheld === 1,
});
