import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import { call, infer } from "../runner/client.ts";
import { arithmetic, castTo, classifier, ELEMENT, identity } from "../runner/models.ts";
import { GrpcClient, outputsOf } from "./grpc-client.ts";
import { mismatches } from "./schemas.ts";
import { targetsOf } from "./served.ts";

// Two groups of models are two runners behind one endpoint: whoever accepts a connection, every model answers on it.

let box: BenchBox;
let clients: GrpcClient[];
const CONNECTIONS = 8;

before(async () => {
  box = await BenchBox.create({ settings: { grpcPort: 0 } });
  const second = { serving: { group: "second" } };
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic, second),
    await box.model("classifier", classifier(0), GOLDEN.flat, { ...second, version: "0.9.0" }),
    await box.model("int64", identity(ELEMENT.int64, ["n"]), GOLDEN.identity("INT64", [1], [1]), second),
    await box.model("half", castTo(ELEMENT.float16), GOLDEN.halved, second),
  ]);
  const port = box.inference.status().endpoint.grpcPort!;
  clients = Array.from({ length: CONNECTIONS }, () => new GrpcClient(port));
});

after(async () => {
  for (const client of clients) client.close();
  await box.close();
});

const fp32 = (name: string, shape: number[], data: number[]) => ({
  name,
  datatype: "FP32",
  shape,
  contents: { fp32_contents: data },
});
const AB = [fp32("a", [2], [1, 2]), fp32("b", [2], [4, 8])];

test("two runners serve", () => {
  assert.equal(box.inference.status().groups.length, 2);
});

test("every model answers on every connection of gRPC, with contents and raw", async () => {
  for (const client of clients) {
    const rows = await client.call("ModelInfer", {
      model_name: "classifier",
      inputs: [fp32("x", [1, 4], [0, 0, 0, 0])],
    });
    assert.deepEqual(outputsOf(rows)[0]?.data, [0.25, 0.25, 0.25, 0.25]);
    const typed = await client.call("ModelInfer", {
      model_name: "arithmetic",
      id: "s1",
      inputs: AB,
      outputs: [{ name: "ratio" }],
    });
    assert.equal(typed.id, "s1");
    assert.deepEqual(outputsOf(typed), [{ name: "ratio", datatype: "FP32", shape: [2], data: [0.25, 0.25] }]);
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(-(2n ** 63n));
    const raw = await client.call("ModelInfer", {
      model_name: "int64",
      inputs: [{ name: "x", datatype: "INT64", shape: [1] }],
      raw_input_contents: [bytes],
    });
    assert.deepEqual(outputsOf(raw), [{ name: "y", datatype: "INT64", shape: [1], bytes: [...bytes] }]);
    const wide = await client.call("ModelInfer", {
      model_name: "int64",
      inputs: [
        { name: "x", datatype: "INT64", shape: [1], contents: { int64_contents: [String(2n ** 63n - 1n)] } },
      ],
    });
    assert.deepEqual(outputsOf(wide)[0]?.data, [2n ** 63n - 1n]);
    const half = await client.call("ModelInfer", {
      model_name: "half",
      inputs: [fp32("x", [1], [1])],
      outputs: [{ name: "y", parameters: { binary_data: { bool_param: true } } }],
    });
    assert.deepEqual(outputsOf(half)[0]?.bytes, [0, 0x3c]);
  }
});

test("metadata, readiness and refusals are those of the runner that has the model", async () => {
  for (const client of clients) {
    const { versions } = await client.call("ModelMetadata", { name: "arithmetic" });
    assert.deepEqual(versions, ["1.0.0"]);
    assert.deepEqual(await client.call("ModelReady", { name: "arithmetic" }), { ready: true });
    const older = await client.call("ModelInfer", {
      model_name: "classifier",
      model_version: "0.9.0",
      inputs: [fp32("x", [1, 4], [9, 0, 0, 0])],
    });
    assert.equal(older.model_version, "0.9.0");
    const refused = await client
      .call("ModelInfer", { model_name: "arithmetic", inputs: AB.slice(0, 1) })
      .catch((error: ServiceError) => error);
    assert.equal(refused.code, status.INVALID_ARGUMENT);
    assert.deepEqual(refused.metadata.get("muster-code"), ["inference.invalid"]);
  }
});

test("over HTTP every runner knows all models and versions", async () => {
  const target = targetsOf(box).TCP;
  for (let tries = 0; tries < CONNECTIONS; tries++) {
    const index = await call(target, "POST", "/v2/repository/index", "{}");
    assert.deepEqual(mismatches("index", index.json), []);
    assert.deepEqual(
      index.json.map(({ name, version, state }: Record<string, string>) => `${name} ${version} ${state}`),
      [
        "classifier 1.0.0 READY",
        "arithmetic 1.0.0 READY",
        "classifier 0.9.0 READY",
        "int64 1.0.0 READY",
        "half 1.0.0 READY",
      ],
    );
    const stats = await call(target, "GET", "/v2/models/stats");
    assert.deepEqual(mismatches("stats", stats.json), []);
    assert.deepEqual(
      stats.json.model_stats.map(({ name, version }: Record<string, string>) => `${name} ${version}`),
      ["classifier 1.0.0", "arithmetic 1.0.0", "classifier 0.9.0", "int64 1.0.0", "half 1.0.0"],
    );
    const { json } = await call(target, "GET", "/v2/models/classifier");
    assert.deepEqual(json.versions, ["1.0.0", "0.9.0"]);
    assert.equal((await call(target, "GET", "/v2/models/arithmetic/ready")).status, 200);
    assert.equal((await call(target, "GET", "/v2/models/arithmetic/config")).status, 200);
    assert.equal((await call(target, "POST", "/v2/repository/models/arithmetic/load")).status, 501);
    const inputs = ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [4] }));
    assert.deepEqual((await infer(target, "arithmetic", { inputs })).json.outputs[0].data, [8]);
  }
});
