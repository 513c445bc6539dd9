import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, beforeEach, describe, test } from "node:test";
import { MusterError } from "@muster/shared/errors";
import { ResultBody } from "@muster/shared/protocol/messages";
import { validate } from "@muster/shared/protocol/validate";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { call, classify, infer, type Target } from "./client.ts";
import { arithmetic, classifier, slow } from "./models.ts";

let box: BenchBox;
let target: Target;

before(async () => {
  box = await BenchBox.create({ settings: { queueLimit: 2 } });
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier, { labels: ["good", "worn", "cracked"] }),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic),
    await box.model("slow", slow(30), GOLDEN.slow),
  ]);
  target = { url: box.url };
});

after(() => box.close());

beforeEach(() => {
  box.results.length = 0;
  box.events.length = 0;
  box.storeFailure = undefined;
});

const durable = { parameters: { muster_durable: true } };
const resultsCome = (count: number) =>
  until(() => box.results.length >= count, `${count} results are stored`);

describe("results", () => {
  test("each inference gives one, proven by the runner, with class and label", async () => {
    await classify(target, [0, 9, 0, 0], { id: "part-7" });
    await resultsCome(1);
    const [{ at, body }] = box.results as [(typeof box.results)[0]];
    validate(ResultBody, body, "internal.unexpected");
    const { latencyUs, top, ...rest } = body;
    const { digest } = box.inference.status().components[0]!;
    assert.deepEqual(rest, {
      id: "part-7",
      model: "classifier",
      version: "1.0.0",
      variant: "cpu-fp32",
      digest,
      provider: "cpu",
      ok: true,
    });
    assert.equal(top!.index, 1);
    assert.equal(top!.label, "worn");
    assert.ok(top!.score > 0.99 && latencyUs > 0 && Math.abs(Date.now() - at) < 60_000);
  });

  test("a batch gives one for each row, numbered", async () => {
    const data = [9, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9];
    await infer(target, "classifier", {
      id: "b",
      inputs: [{ name: "x", datatype: "FP32", shape: [3, 4], data }],
    });
    await resultsCome(3);
    assert.deepEqual(
      box.results.map(({ body }) => [body.id, body.top?.index, body.top?.label]),
      [
        ["b#0", 0, "good"],
        ["b#1", 2, "cracked"],
        ["b#2", 3, undefined],
      ],
    );
  });

  test("an id is made where there is none and cut where it is long", async () => {
    await classify(target, [1, 0, 0, 0]);
    await classify(target, [1, 0, 0, 0], { id: "x".repeat(1000) });
    await resultsCome(2);
    for (const { body } of box.results) validate(ResultBody, body, "internal.unexpected");
    assert.equal(new Set(box.results.map(({ body }) => body.id)).size, 2);
  });

  test("scores that are no numbers are a failed inference", async () => {
    const inputs = ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [3e38] }));
    const reply = await infer(target, "arithmetic", { inputs });
    assert.equal(reply.status, 500);
    await resultsCome(1);
    const [{ body }] = box.results as [(typeof box.results)[0]];
    assert.equal(body.ok, false);
    assert.equal(body.top, null);
    assert.equal(body.failure?.code, "inference.failed");
    validate(ResultBody, body, "internal.unexpected");
  });

  test("refused requests are none", async () => {
    assert.equal((await classify(target, [1, 2, 3])).status, 400);
    await classify(target, [1, 2, 3, 4], { id: "after" });
    await resultsCome(1);
    assert.deepEqual(
      box.results.map(({ body }) => body.id),
      ["after"],
    );
  });

  test("the counters count them, with their latency, and begin anew when taken", async () => {
    await until(async () => {
      await classify(target, [1, 0, 0, 0], durable);
      return box.inference.observed().inferences > 0;
    }, "something is counted");
    box.inference.takeCounters();
    const before = box.inference.observed();
    for (let count = 0; count < 5; count++) await classify(target, [1, 0, 0, 0], durable);
    const inputs = ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [3e38] }));
    await infer(target, "arithmetic", { inputs, ...durable });
    const [counters, ...others] = box.inference.takeCounters();
    assert.ok(counters && others.length === 0);
    assert.equal(counters.release, box.inference.status().release?.digest);
    assert.ok(counters.servingMs > 0);
    assert.equal(counters.crashes + counters.fallbacks, 0);
    assert.equal(counters.inferences, 6);
    assert.equal(counters.failures, 1);
    assert.equal(
      counters.latency.counts.reduce((sum, count) => sum + count, 0),
      6,
    );
    // The failed one has no score.
    assert.equal(
      counters.confidence.counts.reduce((sum, count) => sum + count, 0),
      5,
    );
    assert.ok(box.inference.takeCounters().every(({ inferences }) => inferences === 0));
    const observed = box.inference.observed();
    assert.equal(observed.inferences, before.inferences + 6);
    assert.equal(observed.failures, before.failures + 1);
    assert.ok(observed.p95Ms! > 0);
  });
});

describe("durable results", () => {
  test("an answered request is a stored result", async () => {
    for (let count = 1; count <= 20; count++) {
      const { status, json } = await classify(target, [1, 0, 0, 0], { id: `d${count}`, ...durable });
      assert.equal(status, 200);
      assert.deepEqual(json.parameters, { muster_durable: true });
      assert.equal(box.results.at(-1)!.body.id, `d${count}`);
    }
  });

  test("a response to others does not claim it", async () => {
    const { json } = await classify(target, [1, 0, 0, 0]);
    assert.equal(json.parameters, undefined);
  });

  test("a full outbox is an error with its code, and the result is not stored later", async () => {
    box.storeFailure = new MusterError("outbox.full");
    const { status, json } = await classify(target, [1, 0, 0, 0], { id: "lost", ...durable });
    assert.equal(status, 507);
    assert.equal(json.code, "outbox.full");
    box.storeFailure = undefined;
    assert.equal((await classify(target, [1, 0, 0, 0], { id: "kept", ...durable })).status, 200);
    const ids = box.results.map(({ body }) => body.id);
    assert.ok(ids.includes("kept") && !ids.includes("lost"));
  });

  test("others are answered while the store fails and stored when it works again", async () => {
    box.storeFailure = new MusterError("storage.full");
    for (let count = 0; count < 5; count++)
      assert.equal((await classify(target, [1, 0, 0, 0], { id: `w${count}` })).status, 200);
    assert.equal((await classify(target, [1, 0, 0, 0], durable)).status, 507);
    box.storeFailure = undefined;
    await resultsCome(5);
    assert.deepEqual(box.results.map(({ body }) => body.id).sort(), ["w0", "w1", "w2", "w3", "w4"]);
  });
});

test("more requests than may wait are refused at once with Retry-After, and the endpoint stays healthy", async () => {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }];
  // Connections that stand already: new ones would wait in the kernel and not in the queue.
  const agent = new Agent({ keepAlive: true });
  const twelve = <T>(make: () => Promise<T>) => Promise.all(Array.from({ length: 12 }, make));
  await twelve(() => call({ ...target, agent }, "GET", "/v2/health/live"));
  const replies = await twelve(() => infer({ ...target, agent }, "slow", { inputs }));
  agent.destroy();
  const refused = replies.filter(({ status }) => status === 503);
  const answered = replies.filter(({ status }) => status === 200);
  assert.equal(refused.length + answered.length, 12);
  assert.ok(refused.length > 0 && answered.length > 0);
  for (const { headers, json } of refused) {
    assert.equal(json.code, "inference.overloaded");
    assert.equal(headers["retry-after"], "1");
  }
  assert.equal((await classify(target, [1, 0, 0, 0])).status, 200);
});
