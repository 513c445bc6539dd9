import type { EventBody, ResultBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";
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
  /** `status()` has changed. */
  readonly onChange?: () => void;
}

export interface InferenceStatus {
  /** `failed`: what should run cannot be loaded, or no address can be had; it is tried again and again. */
  readonly state: ReportedState["runner"];
  readonly release: ReleaseRef | null;
  /** As the runner has proven: it hashed the bytes that it loaded. */
  readonly components: RunningComponent[];
  /** Restarts after a crash or hang since this process began. */
  readonly restarts: number;
  readonly pid: number | null;
  readonly rssBytes: number;
  readonly endpoint: {
    readonly url: string | null;
    readonly socket: string | null;
    /** Why one of the two is missing though it was asked for. */
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
