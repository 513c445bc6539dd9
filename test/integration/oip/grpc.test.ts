import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { type BenchBox, GOLDEN, until } from "../runner/bench-box.ts";
import { classifier } from "../runner/models.ts";
import { GrpcClient, messageOf, outputsOf } from "./grpc-client.ts";
import { serveModels } from "./served.ts";
import { VECTORS } from "./vectors.ts";

let box: BenchBox;
let client: GrpcClient;

before(async () => {
  box = await serveModels({ settings: { grpcPort: 0, bodyLimit: 64 * 1024 } });
  client = new GrpcClient(box.inference.status().endpoint.grpcPort!);
});

after(async () => {
  client.close();
  await box.close();
});

const x = (shape: number[], data: number[]) => ({
  name: "x",
  datatype: "FP32",
  shape,
  contents: { fp32_contents: data },
});
const classify = (more: object = {}) => ({
  model_name: "classifier",
  inputs: [x([1, 4], [0, 0, 0, 0])],
  ...more,
});
const SLOW = { model_name: "slow", inputs: [x([1, 1], [1])] };

describe("golden vectors over gRPC", () => {
  for (const vector of VECTORS) {
    const message = messageOf(vector);
    if (!message) continue;
    test(`${vector.model}: ${vector.what}`, async () => {
      const response = await client.call("ModelInfer", message);
      assert.equal(response.model_name, vector.model);
      assert.equal(response.model_version, vector.response.model_version);
      assert.equal(response.id, vector.response.id ?? "");
      const got = outputsOf(response);
      for (const [index, wanted] of vector.response.outputs.entries()) {
        const { bytes, data, ...tensor } = got[index]!;
        assert.deepEqual(tensor, { name: wanted.name, datatype: wanted.datatype, shape: wanted.shape });
        // An answer to raw contents is raw whatever is asked for; the other vectors tell what its bytes must be.
        if (wanted.data && data) assert.deepEqual(data.map(Number), wanted.data.map(Number));
        else if (wanted.bytes) assert.deepEqual(bytes, wanted.bytes);
        else assert.deepEqual(bytes, vector.request.inputs[index]!.bytes);
      }
      assert.equal(got.length, vector.response.outputs.length);
    });
  }
});

test("health and metadata are those of HTTP", async () => {
  assert.deepEqual(await client.call("ServerLive"), { live: true });
  assert.deepEqual(await client.call("ServerReady"), { ready: true });
  assert.deepEqual(await client.call("ModelReady", { name: "classifier", version: "1.5.0-rc.1" }), {
    ready: true,
  });
  const server = await client.call("ServerMetadata");
  assert.equal(server.name, "muster");
  assert.ok(server.extensions.includes("statistics"));
  const model = await client.call("ModelMetadata", { name: "classifier" });
  assert.deepEqual(model.versions, ["2.0.0", "1.5.0-rc.1"]);
  assert.deepEqual(model.inputs, [{ name: "x", datatype: "FP32", shape: ["-1", "4"] }]);
});

describe("refused with the status that fits", () => {
  test("the steps behind a model, which answer in JSON", async () => {
    const message = classify({ parameters: { muster_pipeline: { bool_param: true } } });
    await assert.rejects(
      client.call("ModelInfer", message),
      ({ code }: ServiceError) => code === status.UNIMPLEMENTED,
    );
  });

  const cases: [what: string, method: string, message: object, code: status, sentence?: RegExp][] = [
    ["no such model", "ModelInfer", { model_name: "none" }, status.NOT_FOUND],
    ["no such version", "ModelInfer", classify({ model_version: "7" }), status.NOT_FOUND],
    ["metadata of no model", "ModelMetadata", { name: "none" }, status.NOT_FOUND],
    ["readiness of no model", "ModelReady", { name: "none" }, status.NOT_FOUND],
    ["no inputs", "ModelInfer", { model_name: "classifier" }, status.INVALID_ARGUMENT],
    ["a negative dimension", "ModelInfer", classify({ inputs: [x([-1, 4], [])] }), status.INVALID_ARGUMENT],
    [
      "a shape that overflows",
      "ModelInfer",
      classify({ inputs: [x([2 ** 60, 4], [1])] }),
      status.INVALID_ARGUMENT,
    ],
    ["too few values", "ModelInfer", classify({ inputs: [x([1, 4], [1])] }), status.INVALID_ARGUMENT],
    [
      "contents of another type",
      "ModelInfer",
      classify({ inputs: [{ ...x([1, 4], []), contents: { int_contents: [1, 2, 3, 4] } }] }),
      status.INVALID_ARGUMENT,
      /fp32_contents/,
    ],
    [
      "contents and raw contents",
      "ModelInfer",
      classify({ raw_input_contents: [Buffer.alloc(16)] }),
      status.INVALID_ARGUMENT,
      /both/,
    ],
    [
      "more raw contents than inputs",
      "ModelInfer",
      classify({ raw_input_contents: [Buffer.alloc(16), Buffer.alloc(16)] }),
      status.INVALID_ARGUMENT,
    ],
    [
      "too few raw bytes",
      "ModelInfer",
      {
        model_name: "classifier",
        inputs: [{ name: "x", datatype: "FP32", shape: [1, 4] }],
        raw_input_contents: [Buffer.alloc(15)],
      },
      status.INVALID_ARGUMENT,
    ],
    [
      "a parameter without a value",
      "ModelInfer",
      classify({ parameters: { a: {} } }),
      status.INVALID_ARGUMENT,
    ],
    [
      "a sequence",
      "ModelInfer",
      classify({ parameters: { sequence_id: { int64_param: 3 } } }),
      status.UNIMPLEMENTED,
    ],
    [
      "a timeout that cannot be kept",
      "ModelInfer",
      classify({ parameters: { timeout: { int64_param: 1 } } }),
      status.UNAVAILABLE,
    ],
    [
      "a message beyond the limit",
      "ModelInfer",
      classify({ inputs: [x([1, 4], new Array(100_000).fill(1))] }),
      status.RESOURCE_EXHAUSTED,
    ],
  ];
  for (const [what, method, message, code, sentence] of cases)
    test(what, async () => {
      await assert.rejects(client.call(method, message), (error: ServiceError) => {
        assert.equal(error.code, code, error.message);
        if (sentence) assert.match(error.details, sentence);
        return true;
      });
    });

  test("errors carry our stable code", async () => {
    const error = await client
      .call("ModelInfer", { model_name: "none" })
      .catch((reason: ServiceError) => reason);
    assert.deepEqual(error.metadata.get("muster-code"), ["model.not-found"]);
  });
});

test("a deadline that passes ends the call", async () => {
  const busy = Array.from({ length: 4 }, () => client.call("ModelInfer", SLOW));
  await assert.rejects(client.call("ModelInfer", SLOW, { deadline: Date.now() + 1 }), (error: ServiceError) =>
    [status.DEADLINE_EXCEEDED, status.UNAVAILABLE].includes(error.code),
  );
  await Promise.all(busy);
});

test("cancelled calls are not computed", async () => {
  const before = (await client.call("ModelInfer", SLOW)).model_version;
  assert.equal(before, "1.0.0");
  const busy = client.call("ModelInfer", SLOW);
  const cancels = Array.from({ length: 10 }, () => client.begin("ModelInfer", SLOW));
  for (const cancel of cancels) cancel();
  await busy;
  assert.equal((await client.call("ModelInfer", classify())).model_version, "2.0.0");
});

test("a result of gRPC is a result like any other", async () => {
  await client.call(
    "ModelInfer",
    classify({ id: "over-grpc", parameters: { muster_durable: { bool_param: true } } }),
  );
  assert.ok(box.results.some(({ body }) => body.id === "over-grpc"));
});

test("calls go on while the release is swapped, at the same port", async () => {
  const { grpcPort } = box.inference.status().endpoint;
  const seen = new Set<string>();
  const problems: string[] = [];
  let loading = true;
  const load = async () => {
    while (loading) {
      try {
        seen.add((await client.call("ModelInfer", { ...classify(), model_version: "" })).model_version);
      } catch (error) {
        problems.push((error as ServiceError).message);
      }
    }
  };
  const loads = [load(), load()];
  await until(() => seen.has("2.0.0"), "the old release answers");
  await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier, { version: "3.0.0" })], 2);
  await until(() => seen.has("3.0.0"), "the new release answers");
  loading = false;
  await Promise.all(loads);
  assert.equal(box.inference.status().endpoint.grpcPort, grpcPort);
  assert.deepEqual(problems, []);
});
