import type { EventBody, ResultBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { DegradedStep, ReportedState, RunningComponent } from "@muster/shared/protocol/state";
import type { OpenKeys } from "../keys/model-keys.ts";
import type { RunnerReport } from "../runner/reports.ts";
import type { InferenceSettings } from "./settings.ts";

export interface LogPort {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One result with the time at which it was made, milliseconds since the epoch. */
export interface ResultRecord {
  at: number;
  body: ResultBody;
}

export interface InferencePorts {
  /** Version of the agent, shown by the endpoint. */
  readonly version: string;
  readonly settings: Partial<InferenceSettings>;
  readonly log: LogPort;
  /** Must be durable when it returns. What it throws is told to callers that asked for a durable result. */
  readonly onResults: (batch: ResultRecord[]) => void;
  /** Crashes, hangs, taken addresses, dropped results. */
  readonly onEvent: (event: EventBody) => void;
  /** What runners tell beside results and events. Must not throw. */
  readonly onReport?: (report: RunnerReport) => void;
  /** Opens the keys of sealed models; without it none can be loaded. */
  readonly openKeys?: OpenKeys;
  /** Energy of a millisecond of processor time, millijoules; null where the box cannot tell. */
  readonly energyRate?: () => number | null;
  /** `status()` has changed. */
  readonly onChange?: () => void;
}

/** One runner and what it has. */
export interface GroupStatus {
  readonly id: string;
  readonly state: "starting" | "ready" | "failed";
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  readonly pid: number | null;
  readonly rssBytes: number;
  /** Crashes and hangs since the release was served. */
  readonly crashes: number;
  /** How far it is below the first choice of the release; null when it is not. */
  readonly step: DegradedStep | null;
  /** Where applications reach it without a hop. */
  readonly socket: string | null;
  readonly models: readonly {
    readonly name: string;
    readonly version: string;
    readonly variant: string;
    readonly provider: string;
  }[];
}

export interface InferenceStatus {
  /** `failed`: what should run cannot be loaded, or no address can be had; it is tried again and again. */
  readonly state: ReportedState["runner"];
  readonly release: ReleaseRef | null;
  /** What is not ready is started again without anybody's help. */
  readonly retrying: boolean;
  /** As the runners that are ready have proven: they hashed the bytes that they loaded. */
  readonly components: RunningComponent[];
  /** Restarts after a crash or hang since this process began. */
  readonly restarts: number;
  /** Of the first group's runner. */
  readonly pid: number | null;
  /** Resident memory of all runners, bytes. */
  readonly rssBytes: number;
  readonly groups: GroupStatus[];
  readonly endpoint: {
    readonly url: string | null;
    readonly socket: string | null;
    readonly grpcPort: number | null;
    /** Why one of them is missing though it was asked for. */
    readonly failure: EventBody | null;
  };
}

/** What was seen since the last `serve`. `inferences` counts failed ones too. */
export interface Observed {
  readonly inferences: number;
  readonly failures: number;
  readonly crashes: number;
  /** 95th percentile of inference time, milliseconds; null before the first inference. */
  readonly p95Ms: number | null;
}
