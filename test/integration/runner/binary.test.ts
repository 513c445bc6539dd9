import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { BenchBox, GOLDEN } from "./bench-box.ts";
import { call, inferBinary, type Target } from "./client.ts";
import { arithmetic, classifier, ELEMENT, identity } from "./models.ts";

let box: BenchBox;
let target: Target;

const float32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const input = (name: string, datatype: string, shape: number[], size: unknown) => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: size },
});

before(async () => {
  box = await BenchBox.create();
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic),
    await box.model("bool", identity(ELEMENT.bool, ["n"]), GOLDEN.identity("BOOL", [1], [1])),
    await box.model("open", identity(ELEMENT.float32, ["n", "m"]), GOLDEN.identity("FP32", [1, 1], [1])),
  ]);
  target = { url: box.url };
});

after(() => box.close());

describe("binary tensor data", () => {
  test("input and output in binary", async () => {
    const body = {
      id: "b1",
      inputs: [input("a", "FP32", [2], 8), input("b", "FP32", [2], 8)],
      parameters: { binary_data_output: true },
    };
    const reply = await inferBinary(target, "arithmetic", body, [float32(1, 2), float32(4, 8)]);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], "application/octet-stream");
    assert.deepEqual(reply.json, {
      model_name: "arithmetic",
      model_version: "1.0.0",
      id: "b1",
      outputs: [
        { name: "sum", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
        { name: "ratio", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
      ],
    });
    const length = Number(reply.headers["inference-header-content-length"]);
    assert.deepEqual(new Uint8Array(reply.body.subarray(length)), float32(5, 10, 0.25, 0.25));
  });

  test("binary and JSON side by side, on both ways", async () => {
    const body = {
      inputs: [{ name: "a", datatype: "FP32", shape: [1], data: [1] }, input("b", "FP32", [1], 4)],
      parameters: { binary_data_output: true },
      outputs: [{ name: "sum", parameters: { binary_data: false } }, { name: "ratio" }],
    };
    const reply = await inferBinary(target, "arithmetic", body, [float32(4)]);
    assert.deepEqual(reply.json.outputs[0], { name: "sum", datatype: "FP32", shape: [1], data: [5] });
    assert.deepEqual(reply.json.outputs[1].parameters, { binary_data_size: 4 });
    assert.equal(reply.body.readFloatLE(reply.body.length - 4), 0.25);
  });

  test("a raw request is the data of the only input", async () => {
    const path = "/v2/models/classifier/infer";
    const headers = { "inference-header-content-length": "0" };
    const reply = await call(target, "POST", path, float32(0, 9, 0, 0, 9, 0, 0, 0), headers);
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json.outputs, [
      { name: "scores", datatype: "FP32", shape: [2, 4], parameters: { binary_data_size: 32 } },
    ]);
  });

  const raw: [string, string, Uint8Array][] = [
    ["arithmetic", "two inputs", float32(1, 2)],
    ["open", "two dimensions that vary", float32(1)],
    ["classifier", "half a row", float32(1, 2)],
    ["classifier", "half a value", float32(1, 2, 3, 4).subarray(1)],
  ];
  for (const [model, what, body] of raw)
    test(`a raw request with ${what}: 400`, async () => {
      const headers = { "inference-header-content-length": "0" };
      const reply = await call(target, "POST", `/v2/models/${model}/infer`, body, headers);
      assert.equal(reply.status, 400);
      assert.equal(reply.json.code, "inference.invalid");
    });

  const wrong: [string, object, Uint8Array[], string?][] = [
    ["too few bytes for the shape", input("x", "FP32", [1, 4], 12), [float32(1, 2, 3)]],
    ["fewer bytes than it says", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3)]],
    ["more bytes than it says", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3, 4, 5)]],
    ["a size that is no number", input("x", "FP32", [1, 4], "16"), [float32(1, 2, 3, 4)]],
    ["a negative size", input("x", "FP32", [1, 4], -16), [float32(1, 2, 3, 4)]],
    ["data twice", { ...input("x", "FP32", [1, 4], 16), data: [1, 2, 3, 4] }, [float32(1, 2, 3, 4)]],
    ["a shape that overflows", input("x", "FP32", [2 ** 52, 4], 16), [float32(1, 2, 3, 4)]],
    ["a header that is no number", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3, 4)], "many"],
    ["a header that is negative", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3, 4)], "-1"],
    ["a header beyond the body", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3, 4)], "9999"],
    ["a header amid the JSON", input("x", "FP32", [1, 4], 16), [float32(1, 2, 3, 4)], "10"],
  ];
  for (const [what, tensor, blobs, header] of wrong)
    test(`${what}: 400`, async () => {
      const reply = await inferBinary(target, "classifier", { inputs: [tensor] }, blobs, header);
      assert.equal(reply.status, 400);
      assert.equal(reply.json.code, "inference.invalid");
    });

  test("BOOL bytes are 0 and 1", async () => {
    const send = (...bytes: number[]) =>
      inferBinary(target, "bool", { inputs: [input("x", "BOOL", [2], 2)] }, [Uint8Array.from(bytes)]);
    assert.deepEqual((await send(1, 0)).json.outputs[0].data, [true, false]);
    assert.equal((await send(1, 2)).status, 400);
  });
});

describe("HTTP that is not well-formed", () => {
  const answerTo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(target.url);
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("close", () => resolve(answer));
      socket.on("error", reject);
    });

  test("what is no HTTP gets an error object", async () => {
    assert.match(await answerTo("hello\r\n\r\n"), /^HTTP\/1\.1 400 .*"code":"request.invalid"/s);
  });

  test("a head that is too large gets 431", async () => {
    const head = `GET /v2 HTTP/1.1\r\nhost: x\r\nlong: ${"x".repeat(40_000)}\r\n\r\n`;
    assert.match(await answerTo(head), /^HTTP\/1\.1 431 /);
  });

  test("a body that is shorter than announced leaves the endpoint healthy", async () => {
    const { hostname, port } = new URL(target.url);
    await new Promise<void>((resolve) => {
      const head = "POST /v2/models/classifier/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
      const socket = connect(Number(port), hostname, () => socket.end(head));
      socket.on("close", () => resolve());
      socket.resume();
    });
    assert.equal((await call(target, "GET", "/v2/health/ready")).status, 200);
  });
});
