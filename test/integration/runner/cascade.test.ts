import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { type Conditions, FAIR } from "@muster/agent/power/conditions";
import { cascaded } from "@muster/agent/runner/cascade/cascade";
import { loadCascades } from "@muster/agent/runner/cascade/load-cascade";
import type { Infer } from "@muster/agent/runner/infer";
import type { LoadedModel } from "@muster/agent/runner/model";
import { Scheduler } from "@muster/agent/runner/schedule/scheduler";
import { isMusterError } from "@muster/shared/errors";
import type { Cascade } from "@muster/shared/protocol/serving/cascade";
import { callOf, float, LoadedModels } from "./loaded.ts";
import { arithmetic, classifier, lookup, slowClassifier } from "./models.ts";

const TOLERANCE = { absolute: 1e-5, relative: 1e-4 };
const ROW = [0, 1, 2, 3];

let models: LoadedModels;
/** `fast` is a variant of the slow classifier, `gain` another model with the same inputs and outputs. */
let fast: LoadedModel;
let gain: LoadedModel;

before(async () => {
  models = await LoadedModels.create();
  fast = await models.load("fast", classifier(), { name: "primary", variant: "fast" });
  gain = await models.load("gain", classifier(2));
});

after(() => models.close());

interface Scene {
  readonly primary: LoadedModel;
  readonly infer: Infer;
  readonly scheduler: Scheduler;
  conditions: Conditions;
}

/** A warm runner of one model with a cascade, whose alternatives were loaded before. */
async function scene(primary: LoadedModel, cascade: Cascade, alternatives: LoadedModel[]): Promise<Scene> {
  const deployment: ModelDeployment = {
    ...primary.deployment,
    name: "primary",
    serving: { cascade },
    alternatives: alternatives.map((each) => each.deployment),
  };
  const served = { ...primary, deployment };
  const find = (name: string) => (name === "primary" ? served : undefined);
  const byDeployment = new Map(alternatives.map((each) => [each.deployment, each]));
  const { rungs } = await loadCascades({ all: [served], find }, async (each) => byDeployment.get(each)!);
  const scheduler = new Scheduler(4);
  const samples = { inputs: [[float("x", [1, 4], ROW)]], tolerance: TOLERANCE };
  if (primary.inputs[0]!.name === "x" && primary.inputs[0]!.datatype === "FP32")
    for (const model of [served, ...alternatives]) await scheduler.warmUp(model, samples);
  const made: Scene = {
    primary: served,
    scheduler,
    conditions: FAIR,
    infer: (call) => layered(call),
  };
  const layered = cascaded({
    rungs,
    conditions: () => made.conditions,
  })(scheduler.infer);
  return made;
}

const ask = ({ primary, infer }: Scene, more: Parameters<typeof callOf>[2] = {}, row = ROW) =>
  infer(callOf(primary, [float("x", [1, 4], row)], more));

describe("the cascade", () => {
  test("leaves answers of the primary variant alone", async () => {
    const made = await scene(
      await models.load("plain", classifier()),
      [{ use: "variant", variant: "fast", when: ["heat", "deadline", "failure"] }],
      [fast],
    );
    const { degraded, by } = await ask(made);
    assert.deepEqual([degraded, by], [undefined, made.primary.deployment]);
  });

  test("heat and lack of power bring the smaller variant, and only while they last", async () => {
    const made = await scene(
      await models.load("hot", classifier()),
      [
        { use: "variant", variant: "fast", when: ["heat"] },
        { use: "model", model: "gain", when: ["power"] },
      ],
      [fast, gain],
    );
    made.conditions = { ...FAIR, heat: true };
    const hot = await ask(made);
    assert.deepEqual([hot.degraded, hot.by.variant], [{ rung: "variant", reason: "heat" }, "fast"]);
    made.conditions = { ...FAIR, power: true };
    const starved = await ask(made);
    assert.deepEqual([starved.degraded, starved.by.name], [{ rung: "model", reason: "power" }, "gain"]);
    made.conditions = FAIR;
    assert.equal((await ask(made)).degraded, undefined);
  });

  test("a request that the primary variant cannot answer in time goes to one that can", async () => {
    const slow = await models.load("slow", slowClassifier(40));
    const made = await scene(slow, [{ use: "variant", variant: "fast", when: ["deadline"] }], [fast]);
    const ms = made.scheduler.predict(callOf(made.primary, [float("x", [1, 4], ROW)]));
    const hurried = await ask(made, { timeoutMs: ms / 2 });
    assert.deepEqual(
      [hurried.degraded, hurried.by.variant],
      [{ rung: "variant", reason: "deadline" }, "fast"],
    );
    assert.equal((await ask(made, { timeoutMs: 60_000 })).degraded, undefined);
    assert.equal((await ask(made)).degraded, undefined);
  });

  test("what no rung can answer in time is refused as without a cascade", async () => {
    const slow = await models.load("slow-too", slowClassifier(40));
    const made = await scene(slow, [{ use: "variant", variant: "fast", when: ["deadline"] }], [fast]);
    const waiting = [1, 2].map(() => ask(made));
    await assert.rejects(ask(made, { timeoutMs: 0.001 }), (error) =>
      isMusterError(error, "inference.overloaded"),
    );
    await Promise.all(waiting);
  });

  test("no room in the queue is too late as well: a default answers", async () => {
    const outputs = [{ name: "scores", datatype: "FP32", shape: [1, 4], data: [0.7, 0.1, 0.1, 0.1] }];
    const slow = await models.load("full", slowClassifier(10));
    const made = await scene(slow, [{ use: "default", outputs, when: ["deadline"] }], []);
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(made)));
    const rungs = answers.map(({ degraded }) => degraded?.rung);
    assert.deepEqual(rungs.filter((rung) => rung === undefined).length, 4);
    const instead = answers.find(({ degraded }) => degraded)!;
    assert.deepEqual(
      [...(instead.values[0]!.data as Float32Array)],
      [...Float32Array.of(0.7, 0.1, 0.1, 0.1)],
    );
    assert.equal(instead.verdicts[0]!.top?.index, 0);
  });

  test("a failure brings the answer that the same input had, else the default, else the failure", async () => {
    const asked = (model: LoadedModel, index: bigint) =>
      callOf(model, [{ name: "x", datatype: "INT64", shape: [1], data: BigInt64Array.of(index) }]);
    const cache: Cascade[number] = { use: "cache", maxAgeSeconds: 60, maxEntries: 10, when: ["failure"] };
    const outputs = [{ name: "y", datatype: "FP32", shape: [1], data: [-1] }];
    const failing = await models.load("lookup", lookup());
    let broken = false;
    const flaky: LoadedModel = {
      ...failing,
      run: (inputs, names) =>
        failing.run(broken ? [{ ...inputs[0]!, data: BigInt64Array.of(99n) }] : inputs, names),
    };
    const both = await scene(flaky, [cache, { use: "default", outputs, when: ["failure"] }], []);
    assert.equal((await both.infer(asked(both.primary, 2n))).degraded, undefined);
    broken = true;
    const known = await both.infer(asked(both.primary, 2n));
    assert.deepEqual(known.degraded, { rung: "cache", reason: "failure" });
    assert.deepEqual([...(known.values[0]!.data as Float32Array)], [12]);
    const unknown = await both.infer(asked(both.primary, 3n));
    assert.deepEqual(unknown.degraded, { rung: "default", reason: "failure" });
    assert.deepEqual([...(unknown.values[0]!.data as Float32Array)], [-1]);
    const only = await scene(flaky, [cache], []);
    const failed = await only.infer(asked(only.primary, 3n));
    assert.deepEqual([failed.error?.code, failed.degraded], ["inference.failed", undefined]);
  });

  test("an answer whose scores are no numbers is not kept to be given again", async () => {
    const cache: Cascade[number] = { use: "cache", maxAgeSeconds: 60, maxEntries: 10, when: ["heat"] };
    const made = await scene(await models.load("sums", arithmetic()), [cache], []);
    const asked = (a: number) => callOf(made.primary, [float("a", [1], [a]), float("b", [1], [-a])]);
    for (const a of [1, Number.POSITIVE_INFINITY]) await made.infer(asked(a));
    made.conditions = { ...FAIR, heat: true };
    assert.equal((await made.infer(asked(1))).degraded?.rung, "cache");
    assert.equal((await made.infer(asked(Number.POSITIVE_INFINITY))).degraded, undefined);
  });

  test("an alternative that does not run here is left out", async () => {
    const made = await scene(
      await models.load("lonely", classifier()),
      [
        { use: "variant", variant: "absent", when: ["heat"] },
        { use: "model", model: "absent", when: ["heat"] },
        { use: "model", model: "gain", when: ["heat"] },
      ],
      [gain],
    );
    made.conditions = { ...FAIR, heat: true };
    assert.equal((await ask(made)).by.name, "gain");
  });

  test("an alternative of another shape stops the release", async () => {
    const other = await models.load("sum", arithmetic());
    await assert.rejects(
      scene(fast, [{ use: "model", model: "sum", when: ["heat"] }], [other]),
      (error) =>
        isMusterError(error, "model.load-failed") &&
        /sum \(cpu-fp32\) does not have each input/.test(error.message),
    );
  });
});
