import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { BenchBox } from "../runner/bench-box.ts";
import { call, type Target } from "../runner/client.ts";
import { expected, partsOf, send } from "./exchange.ts";
import { type AnswerKind, mismatches } from "./schemas.ts";
import { serveModels, targetsOf } from "./served.ts";
import { VECTORS } from "./vectors.ts";

const BINARY_Y = { name: "y", parameters: { binary_data: true } };

let box: BenchBox;
const targets: Record<string, Target> = {};

before(async () => {
  box = await serveModels();
  Object.assign(targets, targetsOf(box));
});

after(() => box.close());

for (const way of ["TCP", "socket"]) {
  describe(`golden vectors over ${way}`, () => {
    for (const vector of VECTORS)
      test(`${vector.model}: ${vector.what}`, async () => {
        const reply = await send(targets[way]!, vector);
        assert.equal(reply.status, 200, reply.body.toString());
        assert.deepEqual(mismatches("inference", reply.json), []);
        assert.deepEqual(partsOf(reply), expected(vector));
        const binary = reply.headers["inference-header-content-length"] !== undefined;
        assert.equal(reply.headers["content-type"], binary ? "application/octet-stream" : "application/json");
      });
  });

  describe(`answers as their schemas say over ${way}`, () => {
    const cases: [method: string, path: string, kind: AnswerKind, status?: number, body?: string][] = [
      ["GET", "/v2", "server"],
      ["GET", "/v2/", "server"],
      ["GET", "/v2/models/classifier", "model"],
      ["GET", "/v2/models/classifier/versions/1.5.0-rc.1", "model"],
      ["GET", "/v2/models/arithmetic", "model"],
      ["GET", "/v2/models/classifier/config", "config"],
      ["GET", "/v2/models/classifier/versions/2.0.0/config", "config"],
      ["GET", "/v2/models/stats", "stats"],
      ["GET", "/v2/models/classifier/stats", "stats"],
      ["GET", "/v2/models/classifier/versions/2.0.0/stats", "stats"],
      ["POST", "/v2/repository/index", "index"],
      ["POST", "/v2/repository/index", "index", 200, '{"ready":true}'],
      ["POST", "/v2/repository/index", "error", 400, '{"ready":"yes"}'],
      ["POST", "/v2/repository/models/classifier/load", "error", 501, "{}"],
      ["POST", "/v2/repository/models/classifier/unload", "error", 501, "{}"],
      ["POST", "/v2/repository/models/none/load", "error", 404],
      ["GET", "/v2/models/none", "error", 404],
      ["GET", "/v2/models/none/ready", "error", 404],
      ["GET", "/v2/models/none/config", "error", 404],
      ["GET", "/v2/models/none/stats", "error", 404],
      ["GET", "/v2/models/classifier/versions/7", "error", 404],
      ["GET", "/v2/models/classifier/versions/7/stats", "error", 404],
      ["POST", "/v2/models/none/infer", "error", 404, "{}"],
      ["POST", "/v2/models/classifier/versions/7/infer", "error", 404, "{}"],
      ["GET", "/v2/nothing", "error", 404],
      ["GET", "/", "error", 404],
      ["POST", "/v2", "error", 405],
      ["POST", "/v2/health/live", "error", 405],
      ["POST", "/v2/health/ready", "error", 405],
      ["PUT", "/v2/models/classifier", "error", 405],
      ["GET", "/v2/models/classifier/infer", "error", 405],
      ["DELETE", "/v2/models/classifier/infer", "error", 405],
      ["GET", "/v2/repository/index", "error", 405],
    ];
    for (const [method, path, kind, status = 200, body] of cases)
      test(`${method} ${path} ${body ?? ""}: ${status}`, async () => {
        const reply = await call(targets[way]!, method, path, body);
        assert.equal(reply.status, status);
        assert.deepEqual(mismatches(kind, reply.json), []);
        assert.equal(reply.headers["content-type"], "application/json");
        if (status === 405) assert.match(reply.headers.allow ?? "", /^(GET|POST)/);
      });
  });
}

test("what is live and ready answers 200", async () => {
  const paths = [
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/classifier/ready",
    "/v2/models/classifier/versions/1.5.0-rc.1/ready",
  ];
  for (const path of paths) assert.equal((await call(targets.TCP!, "GET", path)).status, 200);
});

test("metadata names every version, the one that answers without a version first", async () => {
  const { json } = await call(targets.TCP!, "GET", "/v2/models/classifier");
  assert.deepEqual(json.versions, ["2.0.0", "1.5.0-rc.1"]);
});

test("the server names the extensions that it has", async () => {
  const { json } = await call(targets.TCP!, "GET", "/v2");
  assert.deepEqual(json.extensions, [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "schedule_policy",
    "statistics",
  ]);
});

test("tensors larger than a read of the socket come through whole, wherever they lie in the body", async () => {
  for (const count of [50_000, 50_001])
    for (const id of [undefined, "i", "ii", "iii"]) {
      const data = BigInt64Array.from({ length: count }, (_, index) => BigInt(index) * 3n);
      const bytes = [...new Uint8Array(data.buffer)];
      const tensor = { datatype: "INT64", shape: [count], bytes };
      const vector = {
        what: "large",
        model: "int64",
        request: { ...(id && { id }), inputs: [{ name: "x", ...tensor }], outputs: [BINARY_Y] },
        response: { model_version: "1.0.0", ...(id && { id }), outputs: [{ name: "y", ...tensor }] },
      };
      const { text, binary } = partsOf(await send(targets.socket!, vector));
      assert.equal(text, expected(vector).text);
      assert.ok(binary.equals(expected(vector).binary));
    }
});

test("the configuration tells a load generator the shape of one row", async () => {
  const { json } = await call(targets.TCP!, "GET", "/v2/models/classifier/config");
  assert.equal(json.max_batch_size, 16_384);
  assert.deepEqual(json.input, [{ name: "x", data_type: "TYPE_FP32", dims: [4] }]);
  const { json: fixed } = await call(targets.TCP!, "GET", "/v2/models/slow/config");
  assert.equal(fixed.max_batch_size, 0);
  assert.deepEqual(fixed.input, [{ name: "x", data_type: "TYPE_FP32", dims: [1, 1] }]);
});

test("gRPC is not offered where no port is set", () => {
  assert.equal(box.inference.status().endpoint.grpcPort, null);
});
