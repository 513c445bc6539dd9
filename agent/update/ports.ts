import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { EventBody, UpdateBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ShadowReport } from "@muster/shared/protocol/shadow-report";
import type { ReportedState, RunningComponent } from "@muster/shared/protocol/state";

import type { Deployment } from "../inference/deployment.ts";
import type { ShadowOrder, ShadowRun } from "../inference/shadow.ts";
import type { ShadowEnd, ShadowTask } from "../shadow/shadowing.ts";

/** What the runner saw since the last `serve`. `inferences` counts failed ones too. */
export interface Observed {
  inferences: number;
  failures: number;
  crashes: number;
  /** 95th percentile of inference time, milliseconds; null before the first inference. */
  p95Ms: number | null;
}

export interface InferencePort {
  /**
   * Loads and proves a release without serving it.
   * @param signal ends the attempt
   * @throws MusterError of the families model, runner, artifact, or `request.conflict` when the signal fired
   */
  prepare(deployment: Deployment, lower: boolean, signal?: AbortSignal): Promise<object>;
  /** The prepared release takes over the endpoint. */
  serve(prepared: object): Promise<void>;
  /** The prepared release computes a sample of what is served; it has to be prepared again before it may serve. */
  shadow(prepared: object, order: ShadowOrder): Promise<ShadowRun>;
  discard(prepared: object): Promise<void>;
  idle(): Promise<void>;
  status(): {
    state: ReportedState["runner"];
    release: ReleaseRef | null;
    /** What is not ready is started again without anybody's help. */
    retrying: boolean;
    components: RunningComponent[];
  };
  observed(): Observed;
}

/** Watches a candidate beside what is live. */
export interface ShadowPort {
  run(task: ShadowTask, signal: AbortSignal): Promise<ShadowEnd | undefined>;
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
  | { kind: "event"; at: number; body: EventBody }
  | { kind: "shadow"; at: number; body: ShadowReport };

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
