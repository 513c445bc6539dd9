import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BenchBox, GOLDEN } from "./bench-box.ts";
import { call, classify, infer, inferBinary, type Target } from "./client.ts";
import { arithmetic, classifier, ELEMENT, identity } from "./models.ts";

let box: BenchBox;
let tcp: Target;
let socket: Target;

before(async () => {
  box = await BenchBox.create({ settings: { bodyLimit: 64 * 1024, bodyTotalLimit: 100 * 1024 } });
  const plain = (name: string, type: keyof typeof ELEMENT, datatype: string) =>
    box.model(name, identity(ELEMENT[type], ["n"]), GOLDEN.identity(datatype, [1], [1]));
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier, {
      version: "2026.11.2-rc.1",
      labels: ["good", "worn", "cracked", "loose"],
    }),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic),
    await plain("bool", "bool", "BOOL"),
    await plain("uint8", "uint8", "UINT8"),
    await plain("int8", "int8", "INT8"),
    await plain("uint16", "uint16", "UINT16"),
    await plain("int16", "int16", "INT16"),
    await plain("uint32", "uint32", "UINT32"),
    await plain("int32", "int32", "INT32"),
    await plain("uint64", "uint64", "UINT64"),
    await plain("int64", "int64", "INT64"),
    await plain("fp64", "float64", "FP64"),
  ]);
  tcp = { url: box.url };
  socket = { url: box.url, socketPath: box.inference.status().endpoint.socket! };
});

after(() => box.close());

describe("health and metadata", () => {
  const cases: [string, object][] = [
    ["/v2/health/live", { live: true }],
    ["/v2/health/ready", { ready: true }],
    ["/v2/models/classifier/ready", { name: "classifier", ready: true }],
    ["/v2/models/classifier/versions/2026.11.2-rc.1/ready", { name: "classifier", ready: true }],
    [
      "/v2/models/classifier",
      {
        name: "classifier",
        versions: ["2026.11.2-rc.1"],
        platform: "onnxruntime_onnx",
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
        outputs: [{ name: "scores", datatype: "FP32", shape: [-1, 4] }],
      },
    ],
  ];
  for (const [path, body] of cases)
    test(`GET ${path} on TCP and on the socket`, async () => {
      for (const target of [tcp, socket]) {
        const reply = await call(target, "GET", path);
        assert.equal(reply.status, 200);
        assert.equal(reply.headers["content-type"], "application/json");
        assert.deepEqual(reply.json, body);
      }
    });

  test("the metadata of a version is that of the model", async () => {
    const reply = await call(tcp, "GET", "/v2/models/classifier/versions/2026.11.2-rc.1");
    assert.deepEqual(reply.json, (await call(tcp, "GET", "/v2/models/classifier")).json);
  });

  test("the repository index lists every model", async () => {
    const { status, json } = await call(tcp, "POST", "/v2/repository/index", "{}");
    assert.equal(status, 200);
    assert.equal(json.length, 12);
    assert.deepEqual(json[0], { name: "classifier", version: "2026.11.2-rc.1", state: "READY", reason: "" });
  });
});

describe("addresses", () => {
  const cases: [string, string, number, string][] = [
    ["GET", "/v2/models/none", 404, "model.not-found"],
    ["GET", "/v2/models/none/ready", 404, "model.not-found"],
    ["GET", "/v2/models/classifier/versions/7", 404, "model.not-found"],
    ["POST", "/v2/models/none/infer", 404, "model.not-found"],
    ["POST", "/v2/models/classifier/versions/7/infer", 404, "model.not-found"],
    ["GET", "/", 404, "request.not-found"],
    ["GET", "/v1/models", 404, "request.not-found"],
    ["GET", "/v2/models/classifier/weights", 404, "request.not-found"],
    ["GET", "/v2/models/%E0%A4%A/ready", 400, "request.invalid"],
    ["GET", "/v2/models/classifier/infer", 405, "request.method-not-allowed"],
    ["POST", "/v2/health/live", 405, "request.method-not-allowed"],
    ["DELETE", "/v2/models/classifier", 405, "request.method-not-allowed"],
    ["POST", "/v2/repository/models/classifier/load", 501, "inference.unsupported"],
    ["POST", "/v2/repository/models/classifier/unload", 501, "inference.unsupported"],
  ];
  for (const [method, path, status, code] of cases)
    test(`${method} ${path} answers ${status}`, async () => {
      const reply = await call(tcp, method, path);
      assert.equal(reply.status, status);
      assert.equal(reply.json.code, code);
      assert.ok(reply.json.error.length > 0);
      if (status === 405) assert.ok(reply.headers.allow);
    });
});

describe("inference in JSON", () => {
  test("answers all outputs, echoes the id and names the version", async () => {
    const { status, json } = await classify(tcp, [0, 9, 0, 0], { id: "part-7" });
    assert.equal(status, 200);
    assert.equal(json.model_name, "classifier");
    assert.equal(json.model_version, "2026.11.2-rc.1");
    assert.equal(json.id, "part-7");
    assert.deepEqual(json.outputs[0].shape, [1, 4]);
    assert.ok(json.outputs[0].data[1] > 0.99);
  });

  test("without an id the response has none", async () => {
    const { json } = await classify(tcp, [0, 9, 0, 0]);
    assert.equal(Object.hasOwn(json, "id"), false);
  });

  test("takes nested data and a version in the path", async () => {
    const data = [
      [0, 9, 0, 0],
      [9, 0, 0, 0],
    ];
    const body = { inputs: [{ name: "x", datatype: "FP32", shape: [2, 4], data }] };
    const path = "/v2/models/classifier/versions/2026.11.2-rc.1/infer";
    const { status, json } = await call(tcp, "POST", path, JSON.stringify(body));
    assert.equal(status, 200);
    assert.deepEqual(json.outputs[0].shape, [2, 4]);
  });

  test("answers only the outputs that are asked for, in that order", async () => {
    const inputs = [
      { name: "b", datatype: "FP32", shape: [2], data: [2, 4] },
      { name: "a", datatype: "FP32", shape: [2], data: [1, 1] },
    ];
    const one = await infer(tcp, "arithmetic", { inputs, outputs: [{ name: "ratio" }] });
    assert.deepEqual(one.json.outputs, [{ name: "ratio", datatype: "FP32", shape: [2], data: [0.5, 0.25] }]);
    const both = await infer(tcp, "arithmetic", { inputs, outputs: [{ name: "ratio" }, { name: "sum" }] });
    assert.deepEqual(
      both.json.outputs.map(({ name }: { name: string }) => name),
      ["ratio", "sum"],
    );
  });

  test("a batch of 0 is answered with nothing in it", async () => {
    const body = { inputs: [{ name: "x", datatype: "FP32", shape: [0, 4], data: [] }] };
    const { status, json } = await infer(tcp, "classifier", body);
    assert.equal(status, 200);
    assert.deepEqual(json.outputs[0], { name: "scores", datatype: "FP32", shape: [0, 4], data: [] });
  });

  const types: [string, string, unknown[]][] = [
    ["bool", "BOOL", [true, false]],
    ["uint8", "UINT8", [0, 255]],
    ["int8", "INT8", [-128, 127]],
    ["uint16", "UINT16", [0, 65_535]],
    ["int16", "INT16", [-32_768, 32_767]],
    ["uint32", "UINT32", [0, 4_294_967_295]],
    ["int32", "INT32", [-2_147_483_648, 2_147_483_647]],
    ["uint64", "UINT64", [0, Number.MAX_SAFE_INTEGER]],
    ["int64", "INT64", [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
    ["fp64", "FP64", [0.1, -1e300]],
  ];
  for (const [model, datatype, data] of types)
    test(`${datatype} values come back as they were sent`, async () => {
      const { status, json } = await infer(tcp, model, {
        inputs: [{ name: "x", datatype, shape: [2], data }],
      });
      assert.equal(status, 200);
      assert.deepEqual(json.outputs[0], { name: "y", datatype, shape: [2], data });
    });

  test("64-bit integers keep all digits in the text of a response", async () => {
    const value = Buffer.alloc(8);
    value.writeBigInt64LE(-9_007_199_254_740_995n);
    const input = { name: "x", datatype: "INT64", shape: [1], parameters: { binary_data_size: 8 } };
    const reply = await inferBinary(tcp, "int64", { inputs: [input] }, [value]);
    assert.match(reply.body.toString(), /"data":\[-9007199254740995\]/);
  });

  test("a NaN in an output cannot be JSON and is refused, and comes in binary", async () => {
    const inputs = ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [0] }));
    const refused = await infer(tcp, "arithmetic", { inputs, outputs: [{ name: "ratio" }] });
    assert.equal(refused.status, 500);
    assert.equal(refused.json.code, "inference.failed");
    const outputs = [{ name: "ratio", parameters: { binary_data: true } }];
    const reply = await infer(tcp, "arithmetic", { inputs, outputs });
    assert.equal(reply.status, 200);
    assert.ok(Number.isNaN(reply.body.readFloatLE(reply.body.length - 4)));
  });
});

describe("requests that do not fit", () => {
  const x = { name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] };
  const deep = (levels: number): string => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
  const cases: [string, string | object, number?][] = [
    ["no body", ""],
    ["no JSON", "{"],
    ["invalid UTF-8", "\xff"],
    ["a list", "[]"],
    ["null", "null"],
    ["no inputs", {}],
    ["inputs that are no list", { inputs: { x } }],
    ["an empty list of inputs", { inputs: [] }],
    ["an input that is no object", { inputs: [1] }],
    ["an unknown input", { inputs: [x, { ...x, name: "y" }] }],
    ["an input without a name", { inputs: [{ ...x, name: undefined }] }],
    ["an input twice", { inputs: [x, x] }],
    ["an id that is no text", { id: 7, inputs: [x] }],
    ["another datatype", { inputs: [{ ...x, datatype: "FP64" }] }],
    ["an unknown datatype", { inputs: [{ ...x, datatype: "FLOAT" }] }],
    ["a datatype of an object's own", { inputs: [{ ...x, datatype: "constructor" }] }],
    ["no shape", { inputs: [{ ...x, shape: undefined }] }],
    ["too few dimensions", { inputs: [{ ...x, shape: [4] }] }],
    ["another fixed dimension", { inputs: [{ ...x, shape: [1, 5] }] }],
    ["a negative dimension", { inputs: [{ ...x, shape: [-1, 4] }] }],
    ["a fraction as dimension", { inputs: [{ ...x, shape: [1.5, 4] }] }],
    ["a shape that overflows", { inputs: [{ ...x, shape: [2 ** 52, 4] }] }],
    ["a shape beyond 2^53", { inputs: [{ ...x, shape: [2 ** 60, 4] }] }],
    ["too few values", { inputs: [{ ...x, data: [1, 2, 3] }] }],
    ["too many values", { inputs: [{ ...x, data: [1, 2, 3, 4, 5] }] }],
    ["no values", { inputs: [{ ...x, data: undefined }] }],
    [
      "nested values of another shape",
      {
        inputs: [
          {
            ...x,
            data: [
              [1, 2],
              [3, 4],
            ],
          },
        ],
      },
    ],
    ["values too deep", `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":${deep(2000)}}]}`],
    ["a text among the values", { inputs: [{ ...x, data: [1, 2, 3, "4"] }] }],
    ["null among the values", { inputs: [{ ...x, data: [1, 2, 3, null] }] }],
    ["a value beyond FP32", { inputs: [{ ...x, data: [1, 2, 3, 1e300] }] }],
    ["NaN in the text", '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[NaN,0,0,0]}]}'],
    ["parameters that are a list", { inputs: [x], parameters: [] }],
    ["a parameter that is a list", { inputs: [x], parameters: { a: [] } }],
    ["muster_durable that is no boolean", { inputs: [x], parameters: { muster_durable: "yes" } }],
    ["an unknown output", { inputs: [x], outputs: [{ name: "y" }] }],
    ["an output twice", { inputs: [x], outputs: [{ name: "scores" }, { name: "scores" }] }],
    ["outputs that are no list", { inputs: [x], outputs: "scores" }],
    [
      "binary_data that is no boolean",
      { inputs: [x], outputs: [{ name: "scores", parameters: { binary_data: 1 } }] },
    ],
    ["shared memory", { inputs: [{ ...x, parameters: { shared_memory_region: "r" } }] }, 501],
    ["a sequence", { inputs: [x], parameters: { sequence_id: 7 } }, 501],
    [
      "classes that are no number",
      { inputs: [x], outputs: [{ name: "scores", parameters: { classification: "3" } }] },
    ],
  ];
  for (const [what, body, status = 400] of cases)
    test(`${what}: ${status}`, async () => {
      const text = typeof body === "string" ? Buffer.from(body, "latin1") : JSON.stringify(body);
      const reply = await call(tcp, "POST", "/v2/models/classifier/infer", text);
      assert.equal(reply.status, status);
      assert.equal(reply.json.code, status === 501 ? "inference.unsupported" : "inference.invalid");
    });

  const wrongValues: [string, string, unknown][] = [
    ["bool", "BOOL", 2],
    ["uint8", "UINT8", 256],
    ["uint8", "UINT8", -1],
    ["int8", "INT8", 1.5],
    ["uint32", "UINT32", 2 ** 32],
    ["int32", "INT32", -(2 ** 31) - 1],
    ["uint64", "UINT64", -1],
    ["int64", "INT64", 2 ** 63],
    ["int64", "INT64", true],
  ];
  for (const [model, datatype, value] of wrongValues)
    test(`${String(value)} is no ${datatype}`, async () => {
      const inputs = [{ name: "x", datatype, shape: [1], data: [value] }];
      assert.equal((await infer(tcp, model, { inputs })).status, 400);
    });

  test("one symbolic dimension with two sizes", async () => {
    const inputs = [
      { name: "a", datatype: "FP32", shape: [1], data: [1] },
      { name: "b", datatype: "FP32", shape: [2], data: [1, 2] },
    ];
    const { status, json } = await infer(tcp, "arithmetic", { inputs });
    assert.equal(status, 400);
    assert.match(json.error, /Dimension 'n' is 1 in one input and 2 in 'b'/);
  });

  test("an input is missing", async () => {
    const inputs = [{ name: "a", datatype: "FP32", shape: [1], data: [1] }];
    assert.match((await infer(tcp, "arithmetic", { inputs })).json.error, /lacks input 'b'/);
  });

  for (const factor of [1.5, 40])
    test(`a body of ${factor} times the limit: 413`, async () => {
      const reply = await call(
        tcp,
        "POST",
        "/v2/models/classifier/infer",
        Buffer.alloc(factor * 64 * 1024, 0x20),
      );
      assert.equal(reply.status, 413);
      assert.equal(reply.json.code, "request.too-large");
    });

  test("a body of unknown length beyond the limit: 413", async () => {
    const headers = { "transfer-encoding": "chunked" };
    const reply = await call(
      tcp,
      "POST",
      "/v2/models/classifier/infer",
      Buffer.alloc(200_000, 0x20),
      headers,
    );
    assert.equal(reply.status, 413);
  });

  test("bodies that are too large together: some are refused with 503, the rest is answered", async () => {
    const values = Array.from({ length: 4000 }, () => "1.5");
    const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1000,4],"data":[${values}]}]}${" ".repeat(40_000)}`;
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => call(tcp, "POST", "/v2/models/classifier/infer", body)),
    );
    const statuses = new Set(replies.map(({ status }) => status));
    assert.ok([...statuses].every((status) => status === 200 || status === 503));
    assert.ok(statuses.has(200));
    assert.equal((await classify(tcp, [1, 2, 3, 4])).status, 200);
  });

  test("a compressed body: 501", async () => {
    const headers = { "content-encoding": "gzip" };
    const reply = await call(tcp, "POST", "/v2/models/classifier/infer", "x", headers);
    assert.equal(reply.status, 501);
  });

  test("the endpoint is healthy after all of it, and none of it is a result", async () => {
    assert.equal((await call(tcp, "GET", "/v2/health/ready")).status, 200);
    assert.equal((await classify(tcp, [1, 2, 3, 4])).status, 200);
    assert.equal(box.inference.status().restarts, 0);
  });
});
