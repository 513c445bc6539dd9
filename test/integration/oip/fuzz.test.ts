import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { BenchBox } from "../runner/bench-box.ts";
import { call, classify, type Target } from "../runner/client.ts";
import { mismatches } from "./schemas.ts";
import { serveModels, targetsOf } from "./served.ts";

let box: BenchBox;
let pid: number | null;
let target: Target;

before(async () => {
  box = await serveModels({ settings: { bodyLimit: 64 * 1024 } });
  pid = box.inference.status().pid;
  target = targetsOf(box).socket;
});

after(() => box.close());

/** Statuses that the protocol page documents for an inference request. */
const DOCUMENTED = [200, 400, 404, 405, 413, 415, 500, 501, 503, 504];

const parameters = fc.dictionary(
  fc.constantFrom(
    "binary_data_size",
    "binary_data",
    "binary_data_output",
    "classification",
    "priority",
    "timeout",
    "a",
  ),
  fc.oneof(fc.integer(), fc.boolean(), fc.string(), fc.double(), fc.constant(null)),
  { maxKeys: 3 },
);
const tensor = fc.record(
  {
    name: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("x", "a", "b") },
      { weight: 1, arbitrary: fc.jsonValue() },
    ),
    datatype: fc.constantFrom("FP32", "INT64", "BOOL", "BYTES", "FP16", "nonsense"),
    shape: fc.oneof(
      fc.array(fc.oneof(fc.nat(5), fc.integer(), fc.double()), { maxLength: 4 }),
      fc.jsonValue(),
    ),
    data: fc.oneof(
      fc.array(fc.oneof(fc.float(), fc.integer(), fc.boolean(), fc.string()), { maxLength: 8 }),
      fc.jsonValue(),
    ),
    parameters,
  },
  { requiredKeys: ["name"] },
);
const body = fc.record(
  {
    id: fc.oneof(fc.string(), fc.jsonValue()),
    inputs: fc.oneof(fc.array(tensor, { maxLength: 3 }), fc.jsonValue()),
    outputs: fc.oneof(
      fc.array(fc.record({ name: fc.constantFrom("scores", "sum", "y", "z"), parameters }), { maxLength: 3 }),
      fc.jsonValue(),
    ),
    parameters,
  },
  { requiredKeys: ["inputs"] },
);
const model = fc.constantFrom("classifier", "arithmetic", "int64", "bool", "fp64", "half", "none");

async function answersWell(
  path: string,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<void> {
  const reply = await call(target, method, path, bytes, headers);
  assert.ok(DOCUMENTED.includes(reply.status), `${reply.status} ${reply.body.toString().slice(0, 200)}`);
  const kind = reply.status === 200 ? "inference" : "error";
  assert.deepEqual(mismatches(kind, reply.json), [], reply.body.toString().slice(0, 200));
}

const RUNS = { numRuns: 150 };

test("requests of any members are answered as documented", async () => {
  await fc.assert(
    fc.asyncProperty(model, body, (name, request) =>
      answersWell(`/v2/models/${name}/infer`, Buffer.from(JSON.stringify(request))),
    ),
    RUNS,
  );
});

test("any bytes with any length of the JSON part are answered as documented", async () => {
  const length = fc.oneof(
    fc.nat(70).map(String),
    fc.string({ maxLength: 8 }).map((text) => text.replace(/[^!-~]/g, "0")),
  );
  await fc.assert(
    fc.asyncProperty(model, fc.uint8Array({ maxLength: 64 }), length, (name, bytes, json) =>
      answersWell(`/v2/models/${name}/infer`, bytes, { "inference-header-content-length": json }),
    ),
    RUNS,
  );
});

test("a good binary request with one byte changed, cut or added is answered as documented", async () => {
  const json = JSON.stringify({
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], parameters: { binary_data_size: 16 } }],
    parameters: { binary_data_output: true },
  });
  const good = Buffer.concat([Buffer.from(json), Buffer.alloc(16)]);
  const headers = { "inference-header-content-length": String(json.length) };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(good.length - 1),
      fc.nat(255),
      fc.constantFrom("set", "cut", "add"),
      (at, byte, how) => {
        const changed = Buffer.from(good);
        changed[at] = byte;
        const bytes =
          how === "set" ? changed : how === "cut" ? good.subarray(0, at) : Buffer.concat([good, changed]);
        return answersWell("/v2/models/classifier/infer", bytes, headers);
      },
    ),
    RUNS,
  );
});

test("any path and method is answered", async () => {
  const segment = fc.constantFrom(
    "v2",
    "models",
    "classifier",
    "versions",
    "2.0.0",
    "infer",
    "ready",
    "..",
    "%2e",
    "%zz",
    "",
    "stats",
  );
  const methods = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 7 }), methods, async (segments, method) => {
      const { status } = await call(target, method, `/v2/${segments.join("/")}`);
      assert.ok(DOCUMENTED.includes(status), String(status));
    }),
    RUNS,
  );
});

test("any bytes on the connection end in an answer or its close", async () => {
  const line = fc.constantFrom("POST /v2/models/classifier/infer HTTP/1.1\r\n", "GET /v2 HTTP/1.1\r\n", "");
  const header = fc.constantFrom(
    "host: x\r\n",
    "content-length: 5\r\n",
    "content-length: 99\r\n",
    "transfer-encoding: chunked\r\n",
    "expect: 100-continue\r\n",
    "\r\n",
  );
  const noise = fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  await fc.assert(
    fc.asyncProperty(line, fc.array(header, { maxLength: 4 }), noise, async (first, headers, rest) => {
      await new Promise<void>((resolve) => {
        const socket = connect(target.socketPath!, () =>
          socket.end(Buffer.from(first + headers.join("") + rest, "latin1")),
        );
        socket.on("close", () => resolve());
        socket.on("error", () => {});
        socket.resume();
      });
    }),
    { numRuns: 60 },
  );
});

test("the runner is the same process as before and serves", async () => {
  assert.equal((await classify(target, [1, 2, 3, 4])).status, 200);
  assert.equal(box.inference.status().pid, pid);
  assert.equal(box.inference.status().restarts, 0);
});
