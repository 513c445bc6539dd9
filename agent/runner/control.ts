import type { ErrorCode } from "@muster/shared/errors";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { ExampleSpool } from "../examples/box-capture.ts";
import type { Deployment } from "../inference/deployment.ts";
import type { Tally, TallyEdges } from "../inference/latency.ts";
import type { ResultRecord } from "../inference/ports.ts";
import type { Conditions } from "../power/conditions.ts";
import type { Standing } from "./forward/standing.ts";
import type { HandedKey } from "./key-ring.ts";
import type { RunnerReport } from "./reports.ts";
import type { TapOrder } from "./shadow/tap.ts";

/** Limits that the runner keeps; the supervisor's settings decide them. */
export interface RunnerLimits {
  readonly bodyLimit: number;
  readonly bodyTotalLimit: number;
  /** Rows of one request, where the model lets the first of several dimensions vary. */
  readonly rowLimit: number;
  readonly queueLimit: number;
  readonly resultLimit: number;
  readonly connectionLimit: number;
  /** Where hard examples are kept; null where the box allows none. */
  readonly examples: ExampleSpool | null;
  /** Shortest time after which a batch counts as hung, milliseconds. */
  readonly batchLimitMs: number;
  readonly edges: TallyEdges;
}

/** How sessions use the processor; it holds for the life of a session. */
export interface SessionTuning {
  /** Threads that compute one inference; default 1. */
  readonly threads?: number;
  /** Threads wait for work in a busy loop: quicker, and an idle model keeps its cores busy. Default false. */
  readonly spinning?: boolean;
}

/** Where to listen. A null asks for no listener of that kind. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number | null;
  readonly socketPath: string | null;
  /** TCP port of gRPC. */
  readonly grpcPort: number | null;
  /** Unix socket of this runner's group, for applications that want no hop; shared by old and new runner in a swap. */
  readonly groupPath: string | null;
  /** Unix socket of this very process, on which siblings reach it. */
  readonly ownPath: string | null;
}

/** From the supervisor to the runner. Each of the first four is answered once; `stored` answers `results`. */
export type ToRunner =
  | {
      kind: "load";
      deployment: Deployment;
      limits: RunnerLimits;
      agentVersion: string;
      /** How siblings call this runner. */
      runner: string;
      session: SessionTuning;
      /** Keys of the sealed models among them. */
      keys: readonly HandedKey[];
    }
  | { kind: "golden" }
  | { kind: "listen"; address: ListenAddress }
  | { kind: "drain"; idleConnections: "keep" | "close" }
  | { kind: "ping"; count: number }
  | { kind: "siblings"; standings: readonly Standing[] }
  | { kind: "conditions"; conditions: Conditions }
  /** Begins to compare a sample of what is answered with a candidate, or ends it. */
  | { kind: "shadow"; order: TapOrder | null }
  /** To a candidate: computes what live runners send to this socket, at the lowest priority; `shadow-ready` answers. */
  | { kind: "shadow-intake"; socketPath: string; mostBytes: number }
  | { kind: "stored"; batch: number; failure?: Failure };

export interface ListenFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What the runtime computes at this moment. */
export interface RunningBatch {
  readonly model: string;
  readonly ms: number;
  /** Longest time that it may take, milliseconds. */
  readonly limitMs: number;
}

/** From the runner to the supervisor. `failed` may stand for the answer to `load` or `golden`. */
export type FromRunner =
  | { kind: "up" }
  | { kind: "loaded"; components: RunningComponent[]; loadMs: number }
  | { kind: "golden-passed"; cases: number; ms: number }
  | { kind: "shadow-ready" }
  | { kind: "failed"; code: ErrorCode; message: string }
  | {
      kind: "listening";
      /** Null where it was not asked for or could not be had. */
      port: number | null;
      socketPath: string | null;
      grpcPort: number | null;
      groupPath: string | null;
      ownPath: string | null;
      failure: ListenFailure | null;
    }
  | { kind: "pong"; count: number; rssBytes: number; running: RunningBatch | null }
  /** A batch begins that may block the runner for longer than a silence is borne otherwise; null when it has ended. */
  | { kind: "batch"; limitMs: number | null }
  | { kind: "results"; batch: number; records: ResultRecord[]; tally: Tally; dropped: number }
  | { kind: "report"; report: RunnerReport }
  | { kind: "drained" };
