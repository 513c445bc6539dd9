/** Every limit of inference on the device, with its default in `DEFAULT_INFERENCE_SETTINGS`. */
export interface InferenceSettings {
  /** Address of the TCP listener. */
  readonly host: string;
  /** TCP port; 0 takes a free one and keeps it, null listens on no TCP port. */
  readonly port: number | null;
  /** Path of the Unix socket (107 bytes at most), or null for none. */
  readonly socketPath: string | null;
  /** Largest request body, bytes. */
  readonly bodyLimit: number;
  /** Request bodies held at a time, all together, bytes; what comes beyond is refused. */
  readonly bodyTotalLimit: number;
  /** Requests that wait for the runtime; more are refused. */
  readonly queueLimit: number;
  /** Results that the runner holds until they are stored; beyond it the oldest is dropped and counted. */
  readonly resultLimit: number;
  /** Open connections; more are closed at once. */
  readonly connectionLimit: number;
  /** Longest silence of a serving runner before it counts as hung and is killed, seconds. */
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
  /** Time between tries to listen on an address that is taken, seconds. */
  readonly listenRetrySeconds: number;
}

export const DEFAULT_INFERENCE_SETTINGS: InferenceSettings = {
  host: "127.0.0.1",
  port: 8741,
  socketPath: null,
  bodyLimit: 16 * 1024 * 1024,
  bodyTotalLimit: 128 * 1024 * 1024,
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
  listenRetrySeconds: 5,
};
