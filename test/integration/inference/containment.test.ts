import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { InferenceSettings } from "@muster/agent/inference/settings";
import { BenchBox, GOLDEN, isRunning, until } from "../runner/bench-box.ts";
import { classify, infer, inferBinary, type Target } from "../runner/client.ts";
import { classifier, ELEMENT, identity, slow } from "../runner/models.ts";
import { GOLDEN_LOOP, loop } from "./loop-model.ts";

let box: BenchBox;

afterEach(() => box.close());

const start = async (settings: Partial<InferenceSettings>) => {
  box = await BenchBox.create({ settings: { restartMinSeconds: 0.05, ...settings } });
};

describe("a runner that hangs in native code", () => {
  test("is killed, and its group alone", async () => {
    await start({ hangSeconds: 1, pingSeconds: 0.25 });
    const model = await box.model("loop", loop(), GOLDEN_LOOP, { serving: { group: "loops" } });
    await box.serve([model, await box.model("classifier", classifier(), GOLDEN.classifier)]);
    const [hung, other] = box.inference.status().groups;
    const turn = (turns: number) =>
      infer({ url: box.url, socketPath: hung!.socket! }, "loop", {
        inputs: [{ name: "turns", datatype: "INT64", shape: [1], data: [turns] }],
      });
    assert.equal((await turn(5)).status, 200);
    await assert.rejects(turn(Number.MAX_SAFE_INTEGER), { code: "ECONNRESET" });
    await until(() => box.events.length > 0, "its end is seen");
    await until(() => box.inference.status().state === "ready", "it serves again");
    assert.equal(box.events[0]?.code, "runner.hung");
    assert.equal(isRunning(hung!.pid!), false);
    assert.equal((await turn(5)).status, 200);
    assert.equal(box.inference.status().groups[1]?.pid, other!.pid);
  });

  test("is not killed for a batch that is known to take long", async () => {
    await start({ hangSeconds: 0.5, pingSeconds: 0.1 });
    await box.serve([await box.model("slow", slow(1400), GOLDEN.slow)]);
    const { pid } = box.inference.status();
    const times: number[] = [];
    for (let count = 0; count < 3; count++) {
      const began = performance.now();
      const reply = await infer({ url: box.url }, "slow", {
        inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }],
      });
      times.push(performance.now() - began);
      assert.equal(reply.status, 200);
    }
    assert.ok(Math.max(...times) > 500, `the batches took ${times} ms: too short to show anything`);
    assert.equal(box.inference.status().pid, pid);
    assert.deepEqual(box.events, []);
  });
});

describe("a runner that was prepared", () => {
  test("before its sessions were asked to use the processor otherwise is replaced once it serves", async () => {
    await start({});
    const models = [await box.model("classifier", classifier(), GOLDEN.classifier)];
    const prepared = await box.inference.prepare(box.deployment(models));
    box.inference.recycle("the box is hot", { threads: 1, spinning: false });
    await box.inference.serve(prepared);
    await until(() => box.events.length > 0, "it is replaced");
    assert.deepEqual(
      box.events.map(({ code }) => code),
      ["runner.recycled"],
    );
    assert.match(box.events[0]!.message, /how it may use the processor changed/);
  });

  test("is let go when whoever asked for it does not want it any more", async () => {
    await start({});
    const models = [await box.model("classifier", classifier(), GOLDEN.classifier)];
    const wanted = new AbortController();
    const preparing = box.inference.prepare(box.deployment(models), false, wanted.signal);
    wanted.abort();
    await assert.rejects(preparing, { code: "request.conflict" });
    await box.serve(models);
    assert.equal((await classify({ url: box.url }, [0, 9, 0, 0])).status, 200);
  });
});

describe("a runner that grows", () => {
  test("is replaced by a fresh one under load, and no request fails", async () => {
    await start({ runnerMemoryMib: 200, recycleMinSeconds: 1, pingSeconds: 0.1 });
    const bytes = 8 * 1024 * 1024;
    const blob = await box.model(
      "blob",
      identity(ELEMENT.uint8, [1, "n"]),
      GOLDEN.identity("UINT8", [1, 1], [1]),
    );
    await box.serve([blob, await box.model("classifier", classifier(), GOLDEN.classifier)]);
    const { pid } = box.inference.status();
    const target: Target = { url: box.url };
    const problems: string[] = [];
    let loading = true;
    let answered = 0;
    const input = {
      name: "x",
      datatype: "UINT8",
      shape: [1, bytes],
      parameters: { binary_data_size: bytes },
    };
    const outputs = [{ name: "y", parameters: { binary_data: true } }];
    const load = async (ask: () => Promise<{ status: number; json: { error?: string } }>) => {
      while (loading) {
        const { status, json } = await ask().catch((error) => ({
          status: 0,
          json: { error: String(error) },
        }));
        if (status !== 200) problems.push(`${status} ${json?.error}`);
        answered += 1;
      }
    };
    const loads = [
      load(() => classify(target, [0, 9, 0, 0])),
      ...[1, 2, 3].map(() =>
        load(() => inferBinary(target, "blob", { inputs: [input], outputs }, [Buffer.alloc(bytes)])),
      ),
    ];
    await until(() => box.inference.status().pid !== pid, "another runner serves");
    const counted = answered;
    await until(() => answered > counted + 50, "it is used");
    loading = false;
    await Promise.all(loads);
    assert.deepEqual(problems, []);
    await until(() => !isRunning(pid!), "the old runner is gone");
    assert.ok(box.events.length > 0);
    assert.ok(box.events.every(({ code }) => code === "runner.recycled"));
    assert.match(box.events[0]!.message, /MiB of memory; 200 are allowed/);
    assert.equal(box.inference.status().restarts, 0);
  });

  test("can be replaced on demand, with other session options, and conditions reach the fresh one", async () => {
    await start({});
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    const { pid, endpoint } = box.inference.status();
    box.inference.setConditions({
      heat: true,
      power: false,
      bestEffort: { perSecond: null, deferredUntil: null },
    });
    box.inference.recycle("a test wants it", { threads: 2, spinning: false });
    await until(() => box.inference.status().pid !== pid, "another runner serves");
    assert.deepEqual(box.inference.status().endpoint, endpoint);
    assert.equal((await classify({ url: box.url }, [0, 9, 0, 0])).status, 200);
    await until(() => !isRunning(pid!), "the old runner is gone");
    assert.deepEqual(
      box.events.map(({ code }) => code),
      ["runner.recycled"],
    );
  });
});
