import type { ExampleSpool } from "../examples/box-capture.ts";
import type { SessionTuning } from "../runner/control.ts";

/** Every limit of inference on the device, with its default in `DEFAULT_INFERENCE_SETTINGS`. */
export interface InferenceSettings {
  /** Where runners keep hard examples, and how much; null where the box allows none. */
  readonly examples: ExampleSpool | null;
  /** Address of the TCP listener. */
  readonly host: string;
  /** TCP port; 0 takes a free one and keeps it, null listens on no TCP port. */
  readonly port: number | null;
  /** TCP port of gRPC; 0 takes a free one, null offers no gRPC. */
  readonly grpcPort: number | null;
  /** Path of the Unix socket (107 bytes at most), or null for none. */
  readonly socketPath: string | null;
  /** Beginning of the paths of each group's own socket; null takes `socketPath`. */
  readonly groupSocketBase: string | null;
  /** Largest request body, bytes. */
  readonly bodyLimit: number;
  /** Rows of one request, where the model lets the first of several dimensions vary. */
  readonly rowLimit: number;
  /** Request bodies held at a time, all together, bytes; what comes beyond is refused. */
  readonly bodyTotalLimit: number;
  /** How sessions use the processor. */
  readonly session: SessionTuning;
  /** Requests of each tier that wait for the runtime; more are refused. */
  readonly queueLimit: number;
  /** Results that the runner holds until they are stored; beyond it the oldest is dropped and counted. */
  readonly resultLimit: number;
  /** Open connections; more are closed at once. */
  readonly connectionLimit: number;
  /**
   * Longest silence of a serving runner before it counts as hung and is killed, seconds; at least 1. A batch that is
   * known to take long may take 20 times its measured time.
   */
  readonly hangSeconds: number;
  /** Longest start of a runner process, seconds. */
  readonly startSeconds: number;
  /** Longest load of all models of a release, seconds. */
  readonly loadSeconds: number;
  /** Longest run of all golden sets of a release, seconds. */
  readonly goldenSeconds: number;
  /** Time that an old runner has to end its connections after a swap, seconds. */
  readonly drainSeconds: number;
  /** Time that the runner has to answer what it has begun when the agent stops, seconds. */
  readonly stopSeconds: number;
  /** First and longest wait before a runner is started again, seconds. It doubles with each try. */
  readonly restartMinSeconds: number;
  readonly restartMaxSeconds: number;
  /** Time without a crash after which the waits begin small again, seconds. */
  readonly stableSeconds: number;
  /** Crashes, hangs and failed starts of a group within `crashWindowSeconds` that make it take the next step down. */
  readonly crashBudget: number;
  readonly crashWindowSeconds: number;
  /** First and longest time on a lower step before the first choice is tried again, seconds; it doubles with each try. */
  readonly retryFirstMinSeconds: number;
  readonly retryFirstMaxSeconds: number;
  /** The same where no lower step is left and nothing is served. */
  readonly retryFailedMinSeconds: number;
  readonly retryFailedMaxSeconds: number;
  /** Resident memory at which a runner is replaced by a fresh one, MiB; null takes a share of the box's memory. */
  readonly runnerMemoryMib: number | null;
  /** Shortest time between two such replacements of a runner, seconds. */
  readonly recycleMinSeconds: number;
  /** Time between two looks at a runner: its pulse and its memory, seconds. */
  readonly pingSeconds: number;
  /** Time between tries to listen on an address that is taken, seconds. */
  readonly listenRetrySeconds: number;
}

export const DEFAULT_INFERENCE_SETTINGS: InferenceSettings = {
  examples: null,
  host: "127.0.0.1",
  port: 8741,
  grpcPort: null,
  socketPath: null,
  groupSocketBase: null,
  bodyLimit: 16 * 1024 * 1024,
  rowLimit: 16_384,
  bodyTotalLimit: 128 * 1024 * 1024,
  session: { threads: 1, spinning: false },
  queueLimit: 64,
  resultLimit: 10_000,
  connectionLimit: 256,
  hangSeconds: 10,
  startSeconds: 20,
  loadSeconds: 60,
  goldenSeconds: 60,
  drainSeconds: 15,
  stopSeconds: 3,
  restartMinSeconds: 0.2,
  restartMaxSeconds: 30,
  stableSeconds: 60,
  crashBudget: 3,
  crashWindowSeconds: 600,
  retryFirstMinSeconds: 600,
  retryFirstMaxSeconds: 86_400,
  retryFailedMinSeconds: 2,
  retryFailedMaxSeconds: 300,
  runnerMemoryMib: null,
  recycleMinSeconds: 60,
  pingSeconds: 0.5,
  listenRetrySeconds: 5,
};
