import { type Static, Type } from "typebox";
import { DriftBody } from "./drift-window.ts";
import { Evidence } from "./evidence.ts";
import { HardwareFacts } from "./hardware.ts";
import { Histogram } from "./model-evidence.ts";
import {
  Count,
  Digest,
  Failure,
  Id,
  Millis,
  Name,
  Nullable,
  PROTOCOL_VERSION,
  ReleaseRef,
  Version,
} from "./primitives.ts";
import { DEGRADE_REASONS, RUNGS } from "./serving/cascade.ts";
import { TIERS } from "./serving/tiers.ts";
import { ShadowReport } from "./shadow-report.ts";
import { ReportedState, UpdateOutcome, UpdatePhase } from "./state.ts";

const version = { v: Type.Literal(PROTOCOL_VERSION) };

/** Sent first in each session: who speaks, since which boot, with what, and where its outbox stands. */
export const Birth = Type.Object(
  {
    ...version,
    session: Id,
    boot: Id,
    at: Millis,
    agentVersion: Version,
    hardware: HardwareFacts,
    state: ReportedState,
    outbox: Type.Object(
      { id: Id, lastSeq: Count, ackedSeq: Count, evicted: Count },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);
export type Birth = Static<typeof Birth>;

/** Reported state, whole, whenever it changes. `seq` counts within the session: an older one is ignored. */
export const StateMessage = Type.Object(
  { ...version, session: Id, seq: Count, at: Millis, state: ReportedState },
  { additionalProperties: false },
);
export type StateMessage = Static<typeof StateMessage>;

/**
 * Inference of one release since the previous heartbeat of the session: sums, so that they add up over devices,
 * releases and time.
 */
export const InferenceCounters = Type.Object(
  {
    /** Digest of the release that served; null where models run without one. */
    release: Nullable(Digest),
    /** Time in which the runner was ready to serve, milliseconds: the ground of inference hours. */
    servingMs: Count,
    /** Runners that crashed or hung. */
    crashes: Count,
    inferences: Count,
    failures: Count,
    /** Inferences computed by another than the preferred provider of their variant. */
    fallbacks: Count,
    /** Inferences answered by a lower rung of the model's cascade. */
    degraded: Count,
    /** Requests that were not computed: no room in the queue, or too late. */
    refused: Count,
    /** Processor time of inference, milliseconds. */
    cpuMs: Count,
    /** Energy of inference, millijoules; null where the box cannot tell. */
    energyMj: Nullable(Count),
    /** Inference time in milliseconds; edges are `LATENCY_EDGES_MS`. */
    latency: Histogram,
    /** Highest score of the first output, where that is a vector of scores; edges are `CONFIDENCE_EDGES`. */
    confidence: Histogram,
    /** While this release is a candidate: inferences that it computed beside the live one, and those on which both agreed. */
    shadow: Type.Optional(Type.Object({ compared: Count, agreed: Count }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);
export type InferenceCounters = Static<typeof InferenceCounters>;

/** How the agent itself fared since the previous heartbeat of the session; Memfault's vocabulary. */
export const AgentCounters = Type.Object(
  {
    /** Time in which the agent ran, milliseconds: the ground of operational hours. */
    operationalMs: Count,
    /** Part of it with a session to the control plane, milliseconds. */
    connectedMs: Count,
    /** Attempts to open a session or to ask over HTTPS. */
    syncSucceeded: Count,
    syncFailed: Count,
  },
  { additionalProperties: false },
);
export type AgentCounters = Static<typeof AgentCounters>;

/** Far beyond what any sensor tells: sums of such readings stay finite. */
const MOST_READING = 1_000_000;

/** How much less a box does for heat or power: see the table of levels in docs/power.md. */
export const POWER_LEVELS = ["normal", "warm", "hot", "critical"] as const;
export type PowerLevel = (typeof POWER_LEVELS)[number];

/** What the governor of the box holds. */
export const PowerHealth = Type.Object(
  {
    /** By temperature and throttling. */
    heat: Type.Enum(POWER_LEVELS),
    /** By the power budget and the supply. */
    draw: Type.Enum(POWER_LEVELS),
    /** Mean draw of the box since the previous heartbeat, watts. */
    watts: Nullable(Type.Number({ minimum: 0, maximum: MOST_READING })),
    /** Where `energyMj` of inference comes from: measured, or processor time by the watts of a core. */
    energy: Nullable(Type.Union([Type.Literal("measured"), Type.Literal("modelled")])),
  },
  { additionalProperties: false },
);
export type PowerHealth = Static<typeof PowerHealth>;

export const Heartbeat = Type.Object(
  {
    ...version,
    session: Id,
    seq: Count,
    at: Millis,
    uptimeSeconds: Count,
    health: Type.Object(
      {
        /** Resident memory of agent core and runner, bytes. */
        agentRss: Count,
        runnerRss: Count,
        loadPerCore: Type.Number({ minimum: 0, maximum: MOST_READING }),
        freeMemoryMiB: Count,
        freeDiskMiB: Count,
        temperatureC: Nullable(Type.Number({ minimum: -MOST_READING, maximum: MOST_READING })),
        runnerRestarts: Count,
        outboxBytes: Count,
        /** Absent where the box tells neither temperature nor draw, throttling or supply. */
        power: Type.Optional(PowerHealth),
      },
      { additionalProperties: false },
    ),
    agent: AgentCounters,
    /** One entry for each release that served since the previous heartbeat. */
    inference: Type.Array(InferenceCounters, { maxItems: 4 }),
  },
  { additionalProperties: false },
);
export type Heartbeat = Static<typeof Heartbeat>;

/** One inference as it is kept: which weights on which provider said what, and how long it took. */
export const ResultBody = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128 }),
    model: Name,
    version: Version,
    variant: Name,
    digest: Digest,
    provider: Name,
    /** Inference time, microseconds. */
    latencyUs: Count,
    /** Absent for `standard`. */
    tier: Type.Optional(Type.Enum(TIERS)),
    /** The rung of the cascade that answered in place of the primary variant, and why. */
    degraded: Type.Optional(
      Type.Object(
        { rung: Type.Enum(RUNGS), reason: Type.Enum(DEGRADE_REASONS) },
        { additionalProperties: false },
      ),
    ),
    ok: Type.Boolean(),
    /** Arg max of the first output and its value, where that output is a vector of scores. */
    top: Nullable(
      Type.Object(
        { index: Count, score: Type.Number(), label: Type.Optional(Type.String({ maxLength: 64 })) },
        { additionalProperties: false },
      ),
    ),
    failure: Type.Optional(Failure),
  },
  { additionalProperties: false },
);
export type ResultBody = Static<typeof ResultBody>;

/** One step of the update journal. `outcome` is there at the end of the attempt. */
export const UpdateBody = Type.Object(
  {
    generation: Count,
    rollout: Nullable(Id),
    release: Nullable(ReleaseRef),
    phase: UpdatePhase,
    outcome: Type.Optional(UpdateOutcome),
    failure: Type.Optional(Failure),
  },
  { additionalProperties: false },
);
export type UpdateBody = Static<typeof UpdateBody>;

/** Something worth telling that is neither a result nor an update: refused directives, runner crashes. */
export const EventBody = Type.Object(
  { code: Type.String({ maxLength: 64 }), message: Type.String({ maxLength: 1000 }) },
  { additionalProperties: false },
);
export type EventBody = Static<typeof EventBody>;

/** Stands in the stream for records that the outbox had to evict: what was lost is never silent. */
export const GapBody = Type.Object(
  { kind: Type.String({ maxLength: 16 }), records: Count, fromSeq: Count, toSeq: Count },
  { additionalProperties: false },
);
export type GapBody = Static<typeof GapBody>;

const record = <K extends string, B extends ReturnType<typeof Type.Object>>(kind: K, body: B) =>
  Type.Object({ seq: Count, kind: Type.Literal(kind), at: Millis, body }, { additionalProperties: false });

export const OutboxRecord = Type.Union([
  record("result", ResultBody),
  record("update", UpdateBody),
  record("event", EventBody),
  record("gap", GapBody),
  record("drift", DriftBody),
  record("shadow", ShadowReport),
  record("evidence", Evidence),
]);
export type OutboxRecord = Static<typeof OutboxRecord>;
export type RecordKind = OutboxRecord["kind"];

/** Records in ascending `seq`. `outbox` is the id of the device's outbox database: a new one restarts at 1. */
export const Batch = Type.Object(
  { ...version, session: Id, outbox: Id, records: Type.Array(OutboxRecord, { minItems: 1, maxItems: 1000 }) },
  { additionalProperties: false },
);
export type Batch = Static<typeof Batch>;

export const Will = Type.Object({ ...version, session: Id }, { additionalProperties: false });
export type Will = Static<typeof Will>;

/** Everything of this outbox up to and including `upTo` is stored: the device may forget it. */
export const Ack = Type.Object({ ...version, outbox: Id, upTo: Count }, { additionalProperties: false });
export type Ack = Static<typeof Ack>;
