import { readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";
import { InferenceSession, Tensor } from "onnxruntime-node";

/**
 * A small server that speaks Open Inference Protocol v2, for tests of external runtimes. It shares no code with the
 * runner of the agent, so that both can only agree by the protocol. What may go wrong with such a server can be asked for
 * on the command line.
 */
const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    name: { type: "string" },
    port: { type: "string" },
    socket: { type: "string" },
    /** Answers in JSON even when binary is asked for. */
    json: { type: "boolean" },
    /** Never says that it is ready. */
    unready: { type: "boolean" },
    /** Never answers a request whose first value is this. */
    "hang-on": { type: "string" },
    /** Says that it has gone bad after this many looks at its health. */
    "sick-after": { type: "string" },
    /** Answers with other numbers than the model. */
    wrong: { type: "boolean" },
    version: { type: "boolean" },
  },
});

if (options.version) {
  console.log("oip-server 1");
  process.exit(0);
}

interface Kind {
  oip: string;
  bytes: number;
  view: (buffer: ArrayBuffer) => ArrayBufferView;
}
const KINDS: Record<string, Kind> = {
  float32: { oip: "FP32", bytes: 4, view: (buffer) => new Float32Array(buffer) },
  int32: { oip: "INT32", bytes: 4, view: (buffer) => new Int32Array(buffer) },
  int64: { oip: "INT64", bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  uint8: { oip: "UINT8", bytes: 1, view: (buffer) => new Uint8Array(buffer) },
};

interface WireTensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[];
  parameters?: { binary_data_size?: number; binary_data?: boolean };
}

const session = await InferenceSession.create(options.model ?? "", {
  intraOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: "0" } } },
});
const base = `/v2/models/${options.name}`;
let looks = 0;

const describe = (all: typeof session.inputMetadata) =>
  all.map((metadata) => {
    if (!metadata.isTensor) throw new Error("no tensor");
    const shape = metadata.shape.map((size) => (typeof size === "number" ? size : -1));
    return { name: metadata.name, datatype: KINDS[metadata.type]?.oip, shape };
  });

async function infer(body: Buffer, headerBytes: number | undefined): Promise<[object, Buffer[]] | undefined> {
  const request = JSON.parse(body.subarray(0, headerBytes ?? body.length).toString()) as {
    inputs: WireTensor[];
    outputs?: WireTensor[];
  };
  let offset = headerBytes ?? body.length;
  const feeds: Record<string, Tensor> = {};
  for (const { name, datatype, shape, data, parameters } of request.inputs) {
    const [type, kind] = Object.entries(KINDS).find(([, { oip }]) => oip === datatype)!;
    const size = parameters?.binary_data_size;
    const bytes = size === undefined ? undefined : new Uint8Array(body.subarray(offset, offset + size));
    offset += size ?? 0;
    const values = bytes ? kind.view(bytes.buffer) : data;
    feeds[name] = new Tensor(type as "float32", values as Float32Array, shape);
  }
  const hangsOn = options["hang-on"];
  if (hangsOn !== undefined && Object.values(feeds).some(({ data }) => Number(data[0]) === Number(hangsOn)))
    return undefined;
  const results = await session.run(feeds);
  const blobs: Buffer[] = [];
  const outputs = (request.outputs ?? session.outputNames.map((name) => ({ name }))).map(({ name }) => {
    const tensor = results[name]!;
    const data = tensor.data as Float32Array;
    if (options.wrong) data[0] = (data[0] ?? 0) + 1;
    const common = { name, datatype: KINDS[tensor.type]!.oip, shape: tensor.dims };
    if (options.json) return { ...common, data: Array.from(data, Number) };
    blobs.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    return { ...common, parameters: { binary_data_size: data.byteLength } };
  });
  return [{ model_name: options.name, outputs }, blobs];
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, value: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const { method, url } = request;
  const isSick = options["sick-after"] !== undefined && looks >= Number(options["sick-after"]);
  if (method === "GET" && url === "/v2/health/ready") {
    looks += 1;
    return void send(options.unready || isSick ? 400 : 200, {});
  }
  if (method === "GET" && url === `${base}/ready`) return void send(200, { name: options.name, ready: true });
  if (method === "GET" && url === base)
    return void send(200, {
      name: options.name,
      platform: "test",
      inputs: describe(session.inputMetadata),
      outputs: describe(session.outputMetadata),
    });
  if (method !== "POST" || url !== `${base}/infer`)
    return void send(404, { error: "there is no such thing" });
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const header = request.headers["inference-header-content-length"];
  const answered = await infer(Buffer.concat(chunks), header === undefined ? undefined : Number(header));
  if (!answered) return;
  const [json, blobs] = answered;
  if (blobs.length === 0) return void send(200, json);
  const text = Buffer.from(JSON.stringify(json));
  response
    .writeHead(200, {
      "content-type": "application/octet-stream",
      "inference-header-content-length": text.length,
    })
    .end(Buffer.concat([text, ...blobs]));
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: Error) => {
    response.writeHead(400).end(JSON.stringify({ error: error.message }));
  });
});
if (options.socket) {
  rmSync(options.socket, { force: true });
  server.listen(options.socket);
} else server.listen(Number(options.port), "127.0.0.1");
console.log(`serving ${options.name} from ${readFileSync(options.model ?? "").length} bytes`);
