import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchBox, GOLDEN, isRunning, until } from "../runner/bench-box.ts";
import { call, classify, infer, inferBinary, type Target } from "../runner/client.ts";
import { arithmetic, classifier, ELEMENT, identity } from "../runner/models.ts";

let box: BenchBox;

const group = (name: string) => ({ serving: { group: name } });

const bothGroups = async (version = "1.0.0") => [
  await box.model("classifier", classifier(), GOLDEN.classifier, { ...group("eyes"), version }),
  await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic, { ...group("sums"), version }),
];

const sum = (target: Target) => {
  const inputs = ["a", "b"].map((name, index) => ({ name, datatype: "FP32", shape: [1], data: [index + 1] }));
  return infer(target, "arithmetic", { inputs });
};

const groupOf = (id: string) => box.inference.status().groups.find((each) => each.id === id)!;

/** The socket on which the group is reached without a hop. */
const direct = (id: string): Target => ({ url: box.url, socketPath: groupOf(id).socket! });

before(async () => {
  box = await BenchBox.create({
    settings: { restartMinSeconds: 0.05, crashBudget: 100, hangSeconds: 3, bodyLimit: 12 * 1024 * 1024 },
  });
  await box.serve(await bothGroups());
});

after(() => box.close());

describe("a release with two groups", () => {
  test("is served by two processes, each with its own models", () => {
    const { state, groups, components, rssBytes } = box.inference.status();
    assert.equal(state, "ready");
    assert.deepEqual(
      groups.map(({ id, models }) => [id, models.map(({ name }) => name)]),
      [
        ["eyes-cpu", ["classifier"]],
        ["sums-cpu", ["arithmetic"]],
      ],
    );
    assert.equal(new Set(groups.map(({ pid }) => pid)).size, 2);
    assert.equal(components.length, 2);
    assert.ok(rssBytes >= 0);
  });

  test("every runner answers for every model, on its own socket as on the shared endpoint", async () => {
    for (const target of [{ url: box.url }, direct("eyes-cpu"), direct("sums-cpu")]) {
      assert.equal((await classify(target, [0, 9, 0, 0])).status, 200);
      const reply = await sum(target);
      assert.equal(reply.status, 200);
      assert.deepEqual(reply.json.outputs[0].data, [3]);
      const metadata = await call(target, "GET", "/v2/models/arithmetic");
      assert.equal(metadata.json.name, "arithmetic");
      assert.equal((await call(target, "GET", "/v2/health/ready")).status, 200);
      assert.equal((await call(target, "GET", "/v2/models/classifier/ready")).status, 200);
      const index = await call(target, "POST", "/v2/repository/index", "{}");
      assert.deepEqual(
        index.json.map(({ name, state }: { name: string; state: string }) => [name, state]),
        [
          ["classifier", "READY"],
          ["arithmetic", "READY"],
        ],
      );
      assert.equal((await call(target, "GET", "/v2/models/none")).status, 404);
    }
  });

  test("results of every group are stored", async () => {
    const before = box.results.length;
    await classify(direct("sums-cpu"), [1, 0, 0, 0], { parameters: { muster_durable: true } });
    assert.ok(box.results.slice(before).some(({ body }) => body.model === "classifier"));
  });
});

describe("a model is killed under load", () => {
  test("the other group answers every request; its own answers 503 with Retry-After until it is back", async () => {
    const eyes = groupOf("eyes-cpu").pid!;
    const sums = { ...direct("sums-cpu"), agent: new Agent({ keepAlive: true }) };
    const wrong: string[] = [];
    const refused: (string | undefined)[] = [];
    let answered = 0;
    let loading = true;
    const others = Array.from({ length: 4 }, async () => {
      while (loading) {
        const reply = await sum(sums).catch((error) => ({ status: 0, json: { error: String(error) } }));
        if (reply.status !== 200) wrong.push(`${reply.status} ${reply.json?.error}`);
        answered += 1;
      }
    });
    const own = (async () => {
      while (loading) {
        const reply = await classify(sums, [0, 9, 0, 0]);
        if (reply.status === 503) refused.push(reply.headers["retry-after"]);
        else if (reply.status !== 200) wrong.push(`own: ${reply.status} ${reply.json?.error}`);
        await sleep(2);
      }
    })();
    await until(() => answered > 50, "there is load");
    process.kill(eyes, "SIGKILL");
    await until(() => refused.length > 0, "its models are refused");
    const ready = await call(sums, "GET", "/v2/health/ready");
    const modelReady = await call(sums, "GET", "/v2/models/classifier/ready");
    const down = groupOf("eyes-cpu").state !== "ready";
    if (down) assert.deepEqual([ready.status, modelReady.status], [400, 400]);
    await until(() => groupOf("eyes-cpu").state === "ready", "it is back");
    const counted = answered;
    await until(() => answered > counted + 50, "there is load still");
    loading = false;
    await Promise.all([...others, own]);
    assert.deepEqual(wrong, []);
    assert.ok(refused.every((seconds) => seconds === "1"));
    assert.equal(isRunning(eyes), false);
    assert.equal((await classify(sums, [0, 9, 0, 0])).status, 200);
    assert.equal(box.inference.status().restarts, 1);
  });
});

describe("bodies on their way to another runner", () => {
  const bytes = 10 * 1024 * 1024;
  const model = () =>
    box.model("blob", identity(ELEMENT.uint8, [1, "n"]), GOLDEN.identity("UINT8", [1, 1], [1]), group("big"));

  test("10 MB go there and back unchanged", async () => {
    await box.serve([...(await bothGroups()), await model()], 2);
    const data = randomBytes(bytes);
    const input = {
      name: "x",
      datatype: "UINT8",
      shape: [1, bytes],
      parameters: { binary_data_size: bytes },
    };
    const outputs = [{ name: "y", parameters: { binary_data: true } }];
    for (const target of [direct("eyes-cpu"), direct("big-cpu")]) {
      const reply = await inferBinary(target, "blob", { inputs: [input], outputs }, [data]);
      assert.equal(reply.status, 200, reply.json?.error);
      assert.ok(reply.body.subarray(-bytes).equals(data));
    }
  });

  test("one that is too large is refused by the first runner, chunked or not", async () => {
    const body = Buffer.alloc(13 * 1024 * 1024);
    const announced = await call(direct("eyes-cpu"), "POST", "/v2/models/blob/infer", body);
    assert.deepEqual([announced.status, announced.json.code], [413, "request.too-large"]);
    const headers = { "transfer-encoding": "chunked" };
    const chunked = await call(direct("eyes-cpu"), "POST", "/v2/models/blob/infer", body, headers);
    assert.deepEqual([chunked.status, chunked.json.code], [413, "request.too-large"]);
    assert.equal((await classify(direct("eyes-cpu"), [0, 9, 0, 0])).status, 200);
  });

  test("a client that goes away in the middle harms nobody", async () => {
    for (let count = 0; count < 5; count++)
      await new Promise<void>((resolve) => {
        const outgoing = request({
          socketPath: direct("eyes-cpu").socketPath,
          method: "POST",
          path: "/v2/models/blob/infer",
          headers: { "content-length": String(bytes) },
        });
        outgoing.on("error", () => resolve());
        outgoing.write(Buffer.alloc(bytes / 2), () => outgoing.destroy(new Error("gone")));
      });
    assert.equal((await classify(direct("big-cpu"), [0, 9, 0, 0])).status, 200);
    assert.equal((await classify(direct("eyes-cpu"), [0, 9, 0, 0])).status, 200);
  });
});

describe("names", () => {
  test("several versions of a model serve side by side; without a version the first of the release answers", async () => {
    const model = (version: string, gain: number, more: object) =>
      box.model("classifier", classifier(gain), [GOLDEN.classifier[0]!], { version, ...more });
    await box.serve(
      [
        await model("2.0.0", 1, group("new")),
        await model("1.0.0", 0, group("old")),
        await model("1.5.0", 3, group("old")),
      ],
      3,
    );
    const body = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [1, 0, 0, 0] }] };
    for (const target of [{ url: box.url }, direct("new-cpu"), direct("old-cpu")]) {
      const ask = async (path: string) => {
        const { status, json } = await call(
          target,
          "POST",
          `/v2/models/classifier${path}/infer`,
          JSON.stringify(body),
        );
        assert.equal(status, 200);
        return [json.model_version, Math.round(json.outputs[0].data[0] * 100)];
      };
      assert.deepEqual(await ask(""), ["2.0.0", 48]);
      assert.deepEqual(await ask("/versions/2.0.0"), ["2.0.0", 48]);
      assert.deepEqual(await ask("/versions/1.0.0"), ["1.0.0", 25]);
      assert.deepEqual(await ask("/versions/1.5.0"), ["1.5.0", 87]);
      assert.equal((await call(target, "GET", "/v2/models/classifier/versions/9")).status, 404);
    }
  });

  test("twice the same name and version is refused", async () => {
    const twice = [...(await bothGroups()), ...(await bothGroups())];
    await assert.rejects(box.inference.prepare(box.deployment(twice)), { code: "model.load-failed" });
  });
});
