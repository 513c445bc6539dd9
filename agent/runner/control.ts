import type { ErrorCode } from "@muster/shared/errors";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { Deployment } from "../inference/deployment.ts";
import type { Tally, TallyEdges } from "../inference/latency.ts";
import type { ResultRecord } from "../inference/ports.ts";

/** Limits that the runner keeps; the supervisor's settings decide them. */
export interface RunnerLimits {
  readonly bodyLimit: number;
  readonly bodyTotalLimit: number;
  readonly queueLimit: number;
  readonly resultLimit: number;
  readonly connectionLimit: number;
  readonly edges: TallyEdges;
}

/** Where to listen. A null asks for no listener of that kind. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number | null;
  readonly socketPath: string | null;
}

/** From the supervisor to the runner. Each of the first four is answered once; `stored` answers `results`. */
export type ToRunner =
  | { kind: "load"; deployment: Deployment; limits: RunnerLimits; agentVersion: string }
  | { kind: "golden" }
  | { kind: "listen"; address: ListenAddress }
  | { kind: "drain"; idleConnections: "keep" | "close" }
  | { kind: "ping"; count: number }
  | { kind: "stored"; batch: number; failure?: Failure };

export interface ListenFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** From the runner to the supervisor. `failed` may stand for the answer to `load` or `golden`. */
export type FromRunner =
  | { kind: "up" }
  | { kind: "loaded"; components: RunningComponent[]; loadMs: number }
  | { kind: "golden-passed"; cases: number; ms: number }
  | { kind: "failed"; code: ErrorCode; message: string }
  | {
      kind: "listening";
      /** Null where it was not asked for or could not be had. */
      port: number | null;
      socketPath: string | null;
      failure: ListenFailure | null;
    }
  | { kind: "pong"; count: number; rssBytes: number }
  | { kind: "results"; batch: number; records: ResultRecord[]; tally: Tally; dropped: number }
  | { kind: "drained" };
