/** One model of what is served, as the supervisor knows it: told to every runner, in the order of the release. */
export interface Standing {
  readonly name: string;
  readonly version: string;
  /** The runner that has it. */
  readonly runner: string;
  readonly state: "ready" | "starting" | "failed";
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  /** Unix socket of that runner's own; null while it listens on none. */
  readonly socket: string | null;
}
