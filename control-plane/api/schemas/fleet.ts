import { AssuranceLevel } from "@muster/shared/protocol/device-api";
import { HardwareFacts } from "@muster/shared/protocol/hardware";
import {
  Count,
  DeviceId,
  Labels,
  Millis,
  Name,
  ReleaseRef,
  SitePath,
} from "@muster/shared/protocol/primitives";
import { ReportedState } from "@muster/shared/protocol/state";
import { DirectivePayload } from "@muster/shared/trust/directive";
import { type Static, Type } from "typebox";
import { ASSURANCES, VERDICTS } from "../../attestation/verdict.ts";
import {
  ChangedLabels,
  closed,
  LivenessCounts,
  MaybeFailure,
  MaybeMillis,
  MaybeRelease,
  oneOf,
  orNull,
} from "./common.ts";

const LivenessName = oneOf("online", "late", "offline", "flapping");
const DeviceStatusName = oneOf("active", "quarantined", "revoked");

const summary = {
  id: DeviceId,
  name: Type.String(),
  site: SitePath,
  labels: Labels,
  status: DeviceStatusName,
  liveness: LivenessName,
  lastSeenAt: MaybeMillis,
  hardwareClass: Type.String(),
  agentVersion: orNull(Type.String()),
  generation: Count,
  /** What the device proved to run. */
  running: MaybeRelease,
  update: ReportedState.properties.update,
  lastResult: ReportedState.properties.lastResult,
  /** How far it is trusted now; see docs/attestation.md. */
  trust: Type.Object(
    { assurance: oneOf(...ASSURANCES), verdict: oneOf(...VERDICTS), withheld: Type.Boolean() },
    closed,
  ),
  /** Why it gets nothing new, one sentence; null for a device that passes. */
  withheldBecause: orNull(Type.String()),
};

export const DeviceSummaryResource = Type.Object(summary, closed);
export type DeviceSummaryResource = Static<typeof DeviceSummaryResource>;

/** `next` is the cursor of the page that follows, null on the last one. */
export const DeviceList = Type.Object(
  { devices: Type.Array(DeviceSummaryResource), next: orNull(Type.String()) },
  closed,
);
export type DeviceList = Static<typeof DeviceList>;

export const DeviceResource = Type.Object(
  {
    ...summary,
    /** Labels of its site and of those above that it does not have itself. */
    inheritedLabels: Labels,
    /** Saved groups that it is in now. */
    groups: Type.Array(Name),
    hardware: HardwareFacts,
    /** The newest verdict in one sentence; null before the first one. */
    verdictSentence: orNull(Type.String()),
    signingKey: Type.String(),
    enrolledAt: Millis,
    joinToken: orNull(Type.String()),
    /** Who it is: by its TPM where it has one. Names hex, as the TPM has them. */
    identity: Type.Object(
      {
        assurance: AssuranceLevel,
        /** By whose word, or why it is no surer. */
        reason: orNull(Type.String()),
        ekName: orNull(Type.String()),
        akName: orNull(Type.String()),
        sealingKey: orNull(Type.String()),
        /** Ids of the device whose place it took, and of the one that took its place. */
        replaces: orNull(DeviceId),
        replacedBy: orNull(DeviceId),
      },
      closed,
    ),
    quarantined: orNull(Type.Object({ at: Millis, reason: Type.String() }, closed)),
    /** When it told that it had wiped itself. */
    decommissionedAt: MaybeMillis,
    certificate: Type.Object({ serial: Type.String(), expiresAt: Millis }, closed),
    connected: Type.Boolean(),
    reported: orNull(ReportedState),
    reportedAt: MaybeMillis,
    directive: orNull(DirectivePayload),
    storedResults: Count,
    /** Those of them that came while it did not pass attestation. */
    withheldResults: Count,
    revoked: orNull(Type.Object({ at: Millis, reason: Type.String() }, closed)),
  },
  closed,
);
export type DeviceResource = Static<typeof DeviceResource>;

const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
};
export const DevicePage = Type.Object(page, closed);

/** Conditions that all hold. */
export const DeviceFilter = Type.Object(
  {
    /** Which devices; see docs/selectors.md. It leaves out revoked ones unless it names `status`. */
    selector: Type.Optional(Type.String({ maxLength: 1000 })),
    /** This site and everything below it. */
    site: Type.Optional(SitePath),
    status: Type.Optional(DeviceStatusName),
    liveness: Type.Optional(LivenessName),
    /** Digest of the running release. */
    release: Type.Optional(ReleaseRef.properties.digest),
    /** Part of the id or name. */
    text: Type.Optional(Type.String({ maxLength: 64 })),
    ...page,
  },
  closed,
);

export const DeviceChange = Type.Object(
  { name: Type.Optional(Name), labels: Type.Optional(ChangedLabels) },
  { ...closed, minProperties: 1 },
);

/** Which devices a change of many concerns. */
export const BulkQuery = Type.Object(
  { selector: Type.String({ minLength: 1, maxLength: 1000 }), dryRun: Type.Optional(Type.Boolean()) },
  closed,
);

export const BulkChange = Type.Object({ labels: ChangedLabels }, closed);

export const Relabelling = Type.Object(
  {
    /** Devices that the selector selects. */
    matched: Count,
    /** Those of them whose labels were (or, of a dry run, would be) changed. */
    changed: Count,
    /** Some of the changed ones. */
    examples: Type.Array(Type.Object({ device: DeviceId, name: Type.String(), site: SitePath }, closed)),
  },
  closed,
);
export type Relabelling = Static<typeof Relabelling>;

/** A token for the board that takes the place of a device. */
export const NewReplacement = Type.Object(
  {
    /** Seconds from now, a day unless told. */
    expiresIn: Type.Optional(Type.Integer({ minimum: 60, maximum: 365 * 86_400 })),
    /** That of the device unless told. */
    minAssurance: Type.Optional(AssuranceLevel),
  },
  closed,
);

/** Why a device is revoked, put into quarantine or taken out of the fleet. */
export const Revocation = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed);

/** Newest first. */
export const Timeline = Type.Object(
  {
    entries: Type.Array(
      Type.Union([
        Type.Object(
          {
            kind: Type.Literal("update"),
            at: Millis,
            generation: Count,
            rollout: orNull(Type.String()),
            release: MaybeRelease,
            phase: Type.String(),
            outcome: orNull(Type.String()),
            failure: MaybeFailure,
            startedAt: Millis,
          },
          closed,
        ),
        Type.Object(
          {
            kind: Type.Literal("event"),
            at: Millis,
            source: oneOf("device", "control-plane"),
            code: Type.String(),
            message: Type.String(),
            /** Told while the device did not pass attestation. */
            withheld: Type.Boolean(),
          },
          closed,
        ),
      ]),
    ),
  },
  closed,
);
export type Timeline = Static<typeof Timeline>;

export const FleetResource = Type.Object(
  {
    devices: Count,
    active: Count,
    revoked: Count,
    /** Active devices that get nothing new. */
    withheld: Count,
    liveness: LivenessCounts,
    releases: Type.Array(Type.Object({ release: MaybeRelease, devices: Count }, closed)),
    /** Active devices by the phase of the update under way. */
    updating: Type.Record(Type.String(), Count),
    /** Active devices by the outcome of their newest finished update. */
    outcomes: Type.Record(Type.String(), Count),
    storedResults: Count,
  },
  closed,
);
export type FleetResource = Static<typeof FleetResource>;
