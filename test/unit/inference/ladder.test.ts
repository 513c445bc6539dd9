import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Deployment, ModelDeployment } from "@muster/agent/inference/deployment";
import { groupsOf } from "@muster/agent/inference/groups";
import { ladderOf } from "@muster/agent/inference/ladder/ladder";
import { isMusterError } from "@muster/shared/errors";
import type { Rung } from "@muster/shared/protocol/serving/cascade";
import fc from "fast-check";

const model = (name: string, more: Partial<ModelDeployment> = {}): ModelDeployment => ({
  name,
  version: "2.0.0",
  variant: "int8",
  digest: `digest of ${name} ${more.version ?? "2.0.0"} ${more.variant ?? "int8"}`,
  provider: "cpu",
  fallback: false,
  modelPath: "m",
  goldenPath: "g",
  referencePath: "r",
  ...more,
});

const deployment = (models: ModelDeployment[]): Deployment => ({
  release: { name: "line", version: "1.0.0", sequence: 1, digest: `sha256:${"0".repeat(64)}` },
  models,
});

const cascade = (...rungs: Rung[]) => ({ serving: { cascade: rungs } });
const FIXED: Rung = {
  use: "default",
  outputs: [{ name: "y", datatype: "FP32", shape: [1], data: [0] }],
  when: ["failure"],
};

/** Each choice as its step and what each model runs. */
const shown = (models: ModelDeployment[], previous?: Deployment) =>
  ladderOf(models, previous).map(({ step = "first", models: all }) => [
    step,
    ...all.map(({ name, version, variant, provider, standIn }) =>
      standIn ? `${name} stands in` : `${name} ${version} ${variant} ${provider}`,
    ),
  ]);

describe("what a group can be served with", () => {
  test("a model that nothing stands in for has one choice", () => {
    assert.deepEqual(shown([model("a")]), [["first", "a 2.0.0 int8 cpu"]]);
  });

  test("other providers and variants, the previous version, and at last what the cascade answers", () => {
    const gpu = model("a", { provider: "cuda", variant: "fp16" });
    const ladder = [model("a", { provider: "cpu", variant: "fp16" }), model("a")];
    const previous = deployment([model("a", { version: "1.0.0" }), model("b")]);
    assert.deepEqual(shown([{ ...gpu, ladder, ...cascade(FIXED) }], previous), [
      ["first", "a 2.0.0 fp16 cuda"],
      ["provider", "a 2.0.0 fp16 cpu"],
      ["variant", "a 2.0.0 int8 cpu"],
      ["previous", "a 1.0.0 int8 cpu"],
      ["safe", "a stands in"],
    ]);
  });

  test("models of a group go down together; one with fewer builds stays on its last", () => {
    const one = { ...model("a", { provider: "cuda" }), ladder: [model("a")] };
    const two = {
      ...model("b", { provider: "cuda" }),
      ladder: [model("b", { provider: "webgpu" }), model("b")],
    };
    assert.deepEqual(shown([one, two, model("c")]), [
      ["first", "a 2.0.0 int8 cuda", "b 2.0.0 int8 cuda", "c 2.0.0 int8 cpu"],
      ["provider", "a 2.0.0 int8 cpu", "b 2.0.0 int8 webgpu", "c 2.0.0 int8 cpu"],
      ["provider", "a 2.0.0 int8 cpu", "b 2.0.0 int8 cpu", "c 2.0.0 int8 cpu"],
    ]);
  });

  test("a previous release with the very same model is no other choice", () => {
    assert.equal(ladderOf([model("a")], deployment([model("a")])).length, 1);
    assert.equal(ladderOf([model("a")], deployment([model("b")])).length, 1);
  });

  test("a cascade that answers for other reasons, or from an empty cache, is no safe choice", () => {
    const cache: Rung = { use: "cache", maxAgeSeconds: 1, maxEntries: 1, when: ["failure"] };
    const late: Rung = { ...FIXED, when: ["deadline", "heat"] };
    assert.equal(ladderOf([model("a", cascade(cache, late))], undefined).length, 1);
  });

  test("what a cascade loads is tried first, then fixed answers alone; models without either are left out", () => {
    const light = model("light");
    const rung: Rung = { use: "model", model: "light", when: ["failure"] };
    const models = [
      model("a", { ...cascade(rung, FIXED), alternatives: [light] }),
      model("b", { ...cascade(rung), alternatives: [light] }),
      model("c"),
    ];
    const ladder = ladderOf(models, undefined);
    assert.deepEqual(
      ladder.map(({ step, models: all }) => [
        step,
        all.map(({ name, alternatives = [] }) => [name, alternatives.length]),
      ]),
      [
        [
          undefined,
          [
            ["a", 1],
            ["b", 1],
            ["c", 0],
          ],
        ],
        [
          "safe",
          [
            ["a", 1],
            ["b", 1],
          ],
        ],
        ["safe", [["a", 0]]],
      ],
    );
    const absent = model("d", cascade(rung));
    assert.equal(ladderOf([absent], undefined).length, 1);
  });
});

describe("runners of a release", () => {
  test("one for each group and provider, in the order of their first models", () => {
    const models = [
      model("a"),
      model("b", { serving: { group: "eyes" } }),
      model("c", { provider: "cuda" }),
      model("d"),
      model("b", { serving: { group: "eyes" }, version: "3.0.0" }),
    ];
    assert.deepEqual(
      groupsOf(deployment(models)).map(({ id, models: own }) => [
        id,
        own.map(({ name, version }) => name + version),
      ]),
      [
        ["default-cpu", ["a2.0.0", "d2.0.0"]],
        ["eyes-cpu", ["b2.0.0", "b3.0.0"]],
        ["default-cuda", ["c2.0.0"]],
      ],
    );
  });

  test("twice the same name and version is refused", () => {
    assert.throws(
      () => groupsOf(deployment([model("a"), model("a")])),
      (error) => isMusterError(error, "model.load-failed"),
    );
  });

  test("every model has exactly one runner, and ids are never the same", () => {
    const word = fc.constantFrom("a", "b", "a-b", "b-c", "c");
    const models = fc.uniqueArray(fc.record({ name: word, group: word, provider: word }), {
      selector: ({ name }) => name,
    });
    fc.assert(
      fc.property(models, (list) => {
        const all = list.map(({ name, group, provider }) => model(name, { provider, serving: { group } }));
        const groups = groupsOf(deployment(all));
        assert.equal(new Set(groups.map(({ id }) => id)).size, groups.length);
        assert.deepEqual(new Set(groups.flatMap(({ models: own }) => own)), new Set(all));
        for (const { models: own } of groups)
          assert.equal(new Set(own.map(({ provider, serving }) => `${provider} ${serving?.group}`)).size, 1);
      }),
    );
  });
});
