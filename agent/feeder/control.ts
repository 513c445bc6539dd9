import type { ErrorCode } from "@muster/shared/errors";
import type { Sink, Source } from "./config.ts";

/** What the feeder needs to begin. */
export interface FeederOrder {
  readonly device: string;
  /** Folder for what must outlive it. */
  readonly stateDir: string;
  readonly sources: readonly Source[];
  readonly sinks: readonly Sink[];
}

/** Where the runner answers: the socket is preferred. Both null while there is no endpoint. */
export interface RunnerAddress {
  readonly socket: string | null;
  readonly url: string | null;
}

export interface LastError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Counted since the feeder began. */
export interface SourceStatus {
  readonly name: string;
  readonly kind: Source["kind"];
  received: number;
  answered: number;
  /** Refused by the runner for good. */
  rejected: number;
  /** Left out because the queue was full. */
  dropped: number;
  /** Too old when their turn came. */
  expired: number;
  /** Times that the runner asked to come again later. */
  deferred: number;
  waiting: number;
  lastError: LastError | null;
}

export interface SinkStatus {
  readonly name: string;
  readonly kind: Sink["kind"];
  delivered: number;
  /** Given up after all tries, or refused for good. */
  failed: number;
  dropped: number;
  waiting: number;
  lastError: LastError | null;
}

export interface FeederCounts {
  readonly sources: readonly SourceStatus[];
  readonly sinks: readonly SinkStatus[];
}

/** From the agent to the feeder. A ping is answered with a pong. */
export type ToFeeder =
  | { kind: "start"; order: FeederOrder }
  | { kind: "ping"; count: number; runner: RunnerAddress }
  | { kind: "stop" };

/** From the feeder to the agent. */
export type FromFeeder =
  | { kind: "pong"; count: number; counts: FeederCounts; rssBytes: number }
  | { kind: "event"; code: ErrorCode; message: string };
