/** One input on its way to the runner. */
export interface Item {
  /** Of its own, and the same when the same input comes again after a restart. */
  readonly id: string;
  /** File, URL or topic that it came from. */
  readonly origin: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** When it came, monotonic milliseconds. */
  readonly receivedAt: number;
}

/** What a sink is given. */
export interface Result {
  readonly source: string;
  readonly id: string;
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly model: string;
  readonly ok: boolean;
  /** Answer of the runner in the form of the Open Inference Protocol. */
  readonly response?: { readonly model_version?: string; readonly outputs: readonly unknown[] };
  readonly failure?: { readonly code: string; readonly message: string };
}
