import { Heartbeat } from "@muster/shared/protocol/messages";
import { Count, DeviceId, Millis, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, LivenessCounts, MaybeMillis, oneOf, orNull } from "./common.ts";

const MaybeNumber = orNull(Type.Number());
const Score = Type.Integer({ minimum: 0, maximum: 100 });
const LivenessName = oneOf("online", "late", "offline", "flapping");

const Vital = Type.Object(
  { mean: Type.Number(), min: Type.Number(), max: Type.Number(), last: Type.Number() },
  closed,
);

const figures = {
  heartbeats: Count,
  operationalHours: Type.Number(),
  /** Each crash of a runner voids one hour of its device, at most its time in that clock hour (UTC). */
  crashFreeOperationalPercent: MaybeNumber,
  servingHours: Type.Number(),
  /** As above, of the time in which a runner was ready; void by crashes of the same release. */
  crashFreeServingPercent: MaybeNumber,
  crashes: Count,
  connectedPercent: MaybeNumber,
  syncSuccessPercent: MaybeNumber,
  inferences: Count,
  errorPercent: MaybeNumber,
  fallbackPercent: MaybeNumber,
  /** Answered by a lower rung of a cascade. */
  degradedPercent: MaybeNumber,
  /** Requests that were not computed, of all requests. */
  refusedPercent: MaybeNumber,
  cpuMsPerInference: MaybeNumber,
  /** Of inferences whose energy is known. */
  joulesPerInference: MaybeNumber,
  latencyMs: orNull(Type.Object({ p50: Type.Number(), p95: Type.Number(), p99: Type.Number() }, closed)),
  confidence: orNull(Type.Object({ p5: Type.Number(), p50: Type.Number() }, closed)),
  shadowAgreementPercent: MaybeNumber,
  vitals: Type.Object(
    {
      agentRss: Type.Optional(Vital),
      runnerRss: Type.Optional(Vital),
      loadPerCore: Type.Optional(Vital),
      freeMemoryMiB: Type.Optional(Vital),
      freeDiskMiB: Type.Optional(Vital),
      temperatureC: Type.Optional(Vital),
      outboxBytes: Type.Optional(Vital),
      watts: Type.Optional(Vital),
    },
    closed,
  ),
};
/** Shares in percent, null where there is nothing to divide by; all of them of sums, so that they hold for many devices. */
const FiguresResource = Type.Object(figures, closed);
export type FiguresResource = Static<typeof FiguresResource>;

const ReasonName = oneOf(
  "offline",
  "late",
  "flapping",
  "runner-failed",
  "not-serving",
  "crashes",
  "error-rate",
  "fallback",
  "sync-failures",
  "low-disk",
  "low-memory",
  "temperature",
  "outbox",
  "lost-records",
  "clock-skew",
  "certificate",
  "update-failed",
);
const Reasons = Type.Array(Type.Object({ code: ReasonName, points: Count, sentence: Type.String() }, closed));

const DeviceHealthLine = Type.Object(
  {
    device: DeviceId,
    name: Type.String(),
    site: SitePath,
    liveness: LivenessName,
    score: Score,
    reasons: Reasons,
  },
  closed,
);
export type DeviceHealthLine = Static<typeof DeviceHealthLine>;

const tally = {
  devices: Count,
  liveness: LivenessCounts,
  /** Mean of the scores of the worst quarter of the devices, at least of one; null without a device. */
  score: orNull(Score),
  /** Devices by score: 90 and more, 70 to 89, 40 to 69, below 40. */
  scores: Type.Object({ good: Count, fair: Count, poor: Count, bad: Count }, closed),
  /** What costs most points first. */
  reasons: Type.Array(Type.Object({ code: ReasonName, devices: Count, points: Count }, closed)),
};

const SiteHealthLine = Type.Object(
  {
    site: SitePath,
    ...tally,
    worst: orNull(DeviceHealthLine),
    /** Of the open clock hour and the one before it. */
    figures: FiguresResource,
  },
  closed,
);
export type SiteHealthLine = Static<typeof SiteHealthLine>;

export const SiteHealthList = Type.Object({ sites: Type.Array(SiteHealthLine) }, closed);
export type SiteHealthList = Static<typeof SiteHealthList>;

export const HealthResource = Type.Object(
  {
    /** When the devices were looked at: the answer holds for some seconds. */
    at: Millis,
    /** The fleet is the site with no name; a release is named by its digest. */
    scope: Type.Object({ kind: oneOf("site", "class", "release"), name: Type.String() }, closed),
    ...tally,
    /** The worst first, at most 10, without those that lack nothing. */
    worstSites: Type.Array(SiteHealthLine),
    worstDevices: Type.Array(DeviceHealthLine),
    /** Of the last 5 to 10 minutes. */
    now: FiguresResource,
    /** Of the open clock hour and the 24 before it. */
    day: FiguresResource,
  },
  closed,
);
export type HealthResource = Static<typeof HealthResource>;

export const DeviceHealthResource = Type.Object(
  {
    device: DeviceId,
    name: Type.String(),
    site: SitePath,
    hardwareClass: Type.String(),
    liveness: LivenessName,
    score: Score,
    reasons: Reasons,
    /** When its newest heartbeat was received. */
    at: MaybeMillis,
    vitals: orNull(Heartbeat.properties.health),
    /** Sums of its heartbeats of the last 5 to 10 minutes. */
    window: Type.Object(
      {
        heartbeats: Count,
        operationalMs: Count,
        connectedMs: Count,
        syncSucceeded: Count,
        syncFailed: Count,
        servingMs: Count,
        crashes: Count,
        inferences: Count,
        failures: Count,
        fallbacks: Count,
        degraded: Count,
        refused: Count,
        p95Ms: MaybeNumber,
      },
      closed,
    ),
    /** Its clock less ours, milliseconds. */
    clockSkewMs: orNull(Type.Integer()),
    /** Of the open clock hour and the 24 before it. */
    day: FiguresResource,
  },
  closed,
);
export type DeviceHealthResource = Static<typeof DeviceHealthResource>;

/** At most one of them. */
export const HealthQuery = Type.Object(
  {
    /** A site and everything below it. */
    site: Type.Optional(SitePath),
    class: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    /** `NAME@VERSION` or digest: devices that run it, and what it did wherever it ran. */
    release: Type.Optional(Type.String({ minLength: 1, maxLength: 160 })),
  },
  closed,
);

export const SeriesQuery = Type.Object(
  {
    /** `fleet`, `site:PATH`, `class:NAME`, `release:NAME@VERSION` or `device:ID`. */
    scope: Type.String({ minLength: 1, maxLength: 600 }),
    /** Milliseconds since the epoch; the last 24 hours unless given. */
    from: Type.Optional(Millis),
    to: Type.Optional(Millis),
    /** Seconds of one point: a multiple of 300. Whole hours reach back for longer. */
    step: Type.Optional(Type.Integer({ minimum: 300, maximum: 31_536_000 })),
  },
  closed,
);

export const SeriesResource = Type.Object(
  {
    scope: Type.String(),
    from: Millis,
    to: Millis,
    step: Count,
    /** Points in which anything was counted; `at` is the begin of each. */
    points: Type.Array(Type.Object({ at: Millis, ...figures }, closed)),
  },
  closed,
);
export type SeriesResource = Static<typeof SeriesResource>;
