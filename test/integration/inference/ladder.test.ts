import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { BenchBox, GOLDEN, until } from "../runner/bench-box.ts";
import { call, classify, infer, type Target } from "../runner/client.ts";
import { classifier, trap } from "../runner/models.ts";

let box: BenchBox;

before(async () => {
  box = await BenchBox.create({
    settings: {
      restartMinSeconds: 0.05,
      restartMaxSeconds: 0.1,
      crashBudget: 2,
      retryFirstMinSeconds: 8,
      retryFailedMinSeconds: 4,
    },
  });
});

after(() => box.close());

const onTrap = { skip: process.arch !== "x64" };

const divide = (target: Target, a: number, b: number) =>
  infer(target, "divide", {
    inputs: [a, b].map((value, index) => ({
      name: "ab"[index],
      datatype: "INT32",
      shape: [1],
      data: [value],
    })),
  });

const target = (): Target => ({ url: box.url });

const groupOf = (id: string) => box.inference.status().groups.find((each) => each.id === id)!;
const ready = (what: string) => until(() => box.inference.status().state === "ready", what);

async function crashes(times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    const before = groupOf("sums-cpu").crashes;
    await ready("the runner serves");
    // The quotient that x64 cannot compute. The other group's runner may hand it on: then it is answered 503.
    await divide(target(), -(2 ** 31), -1).catch(() => {});
    await until(() => groupOf("sums-cpu").crashes === before + 1, "the crash is seen");
  }
  await until(() => groupOf("sums-cpu").state !== "starting", "it is known what comes next");
}

const shown = () => {
  const component = box.inference.status().components.find(({ name }) => name === "divide");
  return component && [component.version, component.variant, component.degraded?.step];
};

test("a model that keeps crashing goes down its ladder step by step, and up again", onTrap, async () => {
  const serving = { group: "sums" };
  const older = await box.model("divide", trap(), GOLDEN.trap, { version: "1.0.0", serving });
  const small = await box.model("divide", trap(), GOLDEN.trap, {
    version: "2.0.0",
    variant: "small",
    serving,
  });
  const outputs = [{ name: "quotient", datatype: "INT32", shape: [1], data: [-7] }];
  const cascade = [{ use: "default" as const, outputs, when: ["failure" as const] }];
  const model = {
    ...small,
    variant: "large",
    ladder: [small],
    serving: { ...serving, cascade },
  };
  const other = await box.model("classifier", classifier(), GOLDEN.classifier);
  const deployment = { ...box.deployment([model, other], 2), previous: box.deployment([older], 1) };
  await box.inference.serve(await box.inference.prepare(deployment));
  assert.deepEqual(shown(), ["2.0.0", "large", undefined]);

  await crashes(2);
  assert.deepEqual(shown(), ["2.0.0", "small", "variant"]);
  await crashes(2);
  assert.deepEqual(shown(), ["1.0.0", "cpu-fp32", "previous"]);
  assert.equal((await divide(target(), 9, 3)).json.model_version, "1.0.0");
  await crashes(2);
  assert.deepEqual(shown(), ["2.0.0", "large", "safe"]);
  const safe = await divide(target(), -(2 ** 31), -1);
  assert.equal(safe.status, 200);
  assert.deepEqual(safe.json.outputs[0].data, [-7]);
  assert.equal(box.inference.status().state, "ready");
  const component = box.inference.status().components.find(({ name }) => name === "divide")!;
  assert.match(component.degraded!.reason, /SIGFPE/);
  assert.equal(
    box.inference.status().components.find(({ name }) => name === "classifier")!.degraded,
    undefined,
  );

  await until(() => shown()?.[2] === undefined, "the first choice is tried again");
  assert.deepEqual((await divide(target(), 9, 3)).json.outputs[0].data, [3]);
  await crashes(1);
  await ready("it is back on the lowest step at once");
  assert.deepEqual(shown(), ["2.0.0", "large", "safe"]);
  const codes = box.events.map(({ code }) => code).filter((code) => code !== "runner.crashed");
  assert.deepEqual(codes, [
    "runner.next-variant",
    "runner.previous-version",
    "runner.safe",
    "runner.restored",
    "runner.safe",
  ]);
  assert.equal(groupOf("default-cpu").crashes, 0);
});

test(
  "with nothing left it is told, the other group serves on, and the first choice is tried again",
  onTrap,
  async () => {
    box.events.length = 0;
    const model = await box.model("divide", trap(), GOLDEN.trap, { serving: { group: "sums" } });
    await box.serve([model, await box.model("classifier", classifier(), GOLDEN.classifier)], 3);
    await crashes(2);
    assert.equal(groupOf("sums-cpu").state, "failed");
    assert.equal(box.inference.status().retrying, true);
    const refused = await divide(target(), 9, 3);
    assert.deepEqual([refused.status, refused.json.code], [503, "model.not-ready"]);
    assert.equal((await classify(target(), [0, 9, 0, 0])).status, 200);
    assert.equal((await call(target(), "GET", "/v2/health/ready")).status, 400);
    await ready("it is tried again");
    assert.equal((await divide(target(), 9, 3)).status, 200);
    assert.deepEqual(
      box.events.map(({ code }) => code),
      ["runner.crashed", "runner.crashed", "runner.gave-up", "runner.restored"],
    );
  },
);

test("with nothing left, a lower choice that can be served again is found", async () => {
  box.events.length = 0;
  const lower = await box.model("classifier", classifier(), GOLDEN.classifier, { serving: { group: "gpu" } });
  const aside = `${lower.goldenPath}.aside`;
  // No driver of this name is on the box any more.
  const model = { ...lower, provider: "cuda", ladder: [{ ...lower, fallback: true }] };
  const other = await box.model("other", classifier(), GOLDEN.classifier);
  await rename(lower.goldenPath, aside);
  const deployment = box.deployment([model, other], 7);
  await box.inference.serve(await box.inference.prepare(deployment, true));
  assert.equal(groupOf("gpu-cuda").state, "failed");
  await rename(aside, lower.goldenPath);
  await ready("the lower choice serves");
  const component = box.inference.status().components.find(({ name }) => name === "classifier");
  assert.deepEqual([component?.provider, component?.degraded?.step], ["cpu", "provider"]);
  assert.equal((await classify(target(), [0, 9, 0, 0])).status, 200);
  assert.deepEqual(
    box.events.map(({ code }) => code),
    ["runner.gave-up", "runner.next-provider"],
  );
});

describe("a release that was proven before and has to run now", () => {
  const gone = async (name: string, more: object = {}) => {
    const model = await box.model(name, classifier(), GOLDEN.classifier, {
      serving: { group: "gpu" },
      ...more,
    });
    // No driver of this name is on the box any more.
    return { ...model, provider: "cuda", ladder: [{ ...model, fallback: true }] };
  };

  test("runs on the next provider when its own cannot be used, and says so", async () => {
    box.events.length = 0;
    const deployment = box.deployment([await gone("classifier")], 4);
    await assert.rejects(box.inference.prepare(deployment), { code: "model.load-failed" });
    await box.inference.serve(await box.inference.prepare(deployment, true));
    const [component] = box.inference.status().components;
    assert.deepEqual([component?.provider, component?.degraded?.step], ["cpu", "provider"]);
    assert.match(component!.degraded!.reason, /cuda/);
    assert.equal((await classify(target(), [0, 9, 0, 0])).status, 200);
    assert.deepEqual(
      box.events.map(({ code }) => code),
      ["runner.next-provider"],
    );
  });

  test("leaves a group out that has nothing to fall back to, and keeps on trying", async () => {
    box.events.length = 0;
    const { ladder: _, ...model } = await gone("eyes");
    const deployment = box.deployment(
      [model, await box.model("classifier", classifier(), GOLDEN.classifier)],
      5,
    );
    await box.inference.serve(await box.inference.prepare(deployment, true));
    const { state, components, groups } = box.inference.status();
    assert.equal(state, "failed");
    assert.deepEqual(
      components.map(({ name }) => name),
      ["classifier"],
    );
    assert.deepEqual([groups[0]?.state, groups[0]?.pid], ["failed", null]);
    assert.equal((await classify(target(), [0, 9, 0, 0])).status, 200);
    assert.equal((await infer(target(), "eyes", { inputs: [] })).status, 503);
    assert.deepEqual(
      box.events.map(({ code }) => code),
      ["runner.gave-up"],
    );
  });

  test("is not served where nothing of it can be", async () => {
    const { ladder: _, ...model } = await gone("eyes");
    await assert.rejects(box.inference.prepare(box.deployment([model], 6), true), {
      code: "model.load-failed",
    });
  });
});
