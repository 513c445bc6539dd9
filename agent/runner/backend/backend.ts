import type { TensorSpec, TensorValue } from "../tensors/datatypes.ts";

/** What has been used since the backend was opened, by this process and by those that work for it. */
export interface Usage {
  /** Processor time, microseconds. */
  readonly cpuUs: number;
  /** Resident memory now, bytes. */
  readonly rssBytes: number;
}

/** What computes a model: ONNX Runtime in this process, or a server that it started. */
export interface Backend {
  /** In the model's order. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * Computes the outputs named, in that order.
   * @throws MusterError `inference.failed`, or of the runtime family when the server behind it is gone
   */
  run(inputs: readonly TensorValue[], outputs: readonly string[]): Promise<TensorValue[]>;
  usage(): Usage;
  /** Frees what it holds; to be called once, when nothing runs. */
  close(): Promise<void>;
}
