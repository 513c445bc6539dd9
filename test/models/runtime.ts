import { InferenceSession, Tensor } from "onnxruntime-node";

/** Samples of one call: enough to be quick, few enough to stay small in memory. */
const CHUNK = 64;

/** A loaded model with one float32 input, on one thread of the CPU. */
export class LoadedModel {
  readonly session: InferenceSession;
  readonly #input: string;
  readonly #dims: readonly number[];
  readonly #width: number;

  private constructor(session: InferenceSession, dims: readonly number[]) {
    this.session = session;
    this.#input = session.inputNames[0]!;
    this.#dims = dims;
    this.#width = dims.reduce((product, dim) => product * dim, 1);
  }

  /** `dims` is the input shape without the batch dimension. */
  static async load(
    model: Uint8Array,
    dims: readonly number[],
    options: InferenceSession.SessionOptions = {},
  ): Promise<LoadedModel> {
    const session = await InferenceSession.create(model, {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      ...options,
    });
    return new LoadedModel(session, dims);
  }

  /** Runs all samples packed in `data` and hands each chunk's outputs to `visit`, in order. */
  async each(
    data: Float32Array,
    visit: (outputs: InferenceSession.ReturnType, count: number) => void,
  ): Promise<void> {
    const total = data.length / this.#width;
    for (let first = 0; first < total; first += CHUNK) {
      const count = Math.min(CHUNK, total - first);
      const part = data.subarray(first * this.#width, (first + count) * this.#width);
      const feeds = { [this.#input]: new Tensor("float32", part, [count, ...this.#dims]) };
      visit(await this.session.run(feeds), count);
    }
  }

  /** The first output of every sample, one row after the other. */
  async run(data: Float32Array): Promise<Float32Array> {
    const chunks: Float32Array[] = [];
    await this.each(data, (outputs) => {
      chunks.push(Float32Array.from(outputs[this.session.outputNames[0]!]!.data as Float32Array));
    });
    const out = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      out.set(chunk, offset);
      offset += chunk.length;
    }
    return out;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}
