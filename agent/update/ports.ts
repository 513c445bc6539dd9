import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { EventBody, UpdateBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";

/** One model of a release as this device runs it. Paths are absolute. */
export interface DeployedModel {
  name: string;
  version: string;
  variant: string;
  digest: string;
  provider: string;
  /** The variant would rather run on another provider, which this device lacks. */
  fallback: boolean;
  labels?: string[];
  modelPath: string;
  goldenPath: string;
  referencePath: string;
  serving?: Serving;
}

export interface Deployment {
  release: ReleaseRef;
  models: DeployedModel[];
}

/** What the runner saw since the last `serve`. `inferences` counts failed ones too. */
export interface Observed {
  inferences: number;
  failures: number;
  crashes: number;
  /** 95th percentile of inference time, milliseconds; null before the first inference. */
  p95Ms: number | null;
}

export interface InferencePort {
  /** Loads and proves a release without serving it. @throws MusterError of the families model, runner, artifact */
  prepare(deployment: Deployment): Promise<object>;
  /** The prepared release takes over the endpoint. */
  serve(prepared: object): Promise<void>;
  discard(prepared: object): Promise<void>;
  idle(): Promise<void>;
  status(): {
    state: ReportedState["runner"];
    release: ReleaseRef | null;
    components: RunningComponent[];
  };
  observed(): Observed;
}

export interface HttpPort {
  request(what: { path: string; headers?: Record<string, string>; signal?: AbortSignal }): Promise<{
    status: number;
    headers: IncomingHttpHeaders;
    body: Readable;
  }>;
}

export type JournalRecord =
  | { kind: "update"; at: number; body: UpdateBody }
  | { kind: "event"; at: number; body: EventBody };

/** Durable when `append` returns; on the same database, so that it joins the caller's transaction. */
export interface OutboxPort {
  append(records: JournalRecord[]): unknown;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only ever grow, for durations. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface LogPort {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Free space for the file system that holds `path`, bytes. */
export type FreeBytes = (path: string) => Promise<number>;
