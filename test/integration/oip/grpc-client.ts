import { fileURLToPath } from "node:url";
import {
  type CallOptions,
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Vector } from "./vectors.ts";

const PROTO = fileURLToPath(
  new URL("runner/grpc/inference.proto", import.meta.resolve("@muster/agent/package.json")),
);

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
type Message = any;

/** A client as any application would make it of the `.proto` file. */
export class GrpcClient {
  readonly #client: Client & Record<string, (...args: unknown[]) => { cancel(): void }>;

  constructor(port: number) {
    const options = { keepCase: true, longs: String, defaults: true, oneofs: true };
    const { inference } = loadPackageDefinition(loadSync(PROTO, options));
    const Service = (inference as GrpcObject).GRPCInferenceService as ServiceClientConstructor;
    this.#client = new Service(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    }) as never;
  }

  /** @throws ServiceError */
  call(method: string, message: object = {}, options: CallOptions = {}): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.#client[method]!(message, new Metadata(), options, (error: ServiceError | null, reply: Message) =>
        error ? reject(error) : resolve(reply),
      );
    });
  }

  /** Begins a call; what it gives ends it without an answer. */
  begin(method: string, message: object): () => void {
    const call = this.#client[method]!(message, () => {});
    return () => call.cancel();
  }

  close(): void {
    this.#client.close();
  }
}

const LISTS: Record<string, string> = {
  BOOL: "bool_contents",
  INT8: "int_contents",
  INT16: "int_contents",
  INT32: "int_contents",
  INT64: "int64_contents",
  UINT8: "uint_contents",
  UINT16: "uint_contents",
  UINT32: "uint_contents",
  UINT64: "uint64_contents",
  FP32: "fp32_contents",
  FP64: "fp64_contents",
  BYTES: "bytes_contents",
};

const contents = (datatype: string, data: readonly unknown[]) => ({
  [LISTS[datatype]!]: data.map((value) =>
    datatype === "BYTES" ? Buffer.from(value as string) : typeof value === "bigint" ? String(value) : value,
  ),
});

const parametersOf = (parameters: Readonly<Record<string, string | number | boolean>> = {}) =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      typeof value === "boolean"
        ? { bool_param: value }
        : typeof value === "number"
          ? { int64_param: String(value) }
          : { string_param: value },
    ]),
  );

/** A vector as a message, or undefined where gRPC cannot say it: raw contents are for all inputs or for none. */
export function messageOf({ model, version = "", request }: Vector): object | undefined {
  const raw = request.inputs.flatMap(({ bytes }) => (bytes ? [Buffer.from(bytes)] : []));
  if (raw.length > 0 && raw.length < request.inputs.length) return undefined;
  return {
    model_name: model,
    model_version: version,
    id: request.id ?? "",
    parameters: parametersOf(request.parameters),
    inputs: request.inputs.map(({ name, datatype, shape, data }) => ({
      name,
      datatype,
      shape,
      ...(data ? { contents: contents(datatype, data) } : {}),
    })),
    outputs: (request.outputs ?? []).map(({ name, parameters }) => ({
      name,
      parameters: parametersOf(parameters),
    })),
    raw_input_contents: raw,
  };
}

export interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: number[];
  /** From the list of its datatype; absent where the output came raw. */
  readonly data?: unknown[];
  readonly bytes?: number[];
}

/** Outputs of a response as vectors write them. */
export const outputsOf = (response: Message): Output[] =>
  response.outputs.map(({ name, datatype, shape, contents: held }: Message, index: number) => ({
    name,
    datatype,
    shape: shape.map(Number),
    ...(response.raw_output_contents.length > 0
      ? { bytes: [...response.raw_output_contents[index]] }
      : { data: plainData(datatype, held?.[LISTS[datatype]!] ?? []) }),
  }));

const plainData = (datatype: string, data: unknown[]): unknown[] =>
  data.map((value) =>
    datatype === "BYTES" ? String(value) : datatype.endsWith("INT64") ? BigInt(value as string) : value,
  );
