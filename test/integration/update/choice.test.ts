import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunningComponent } from "@muster/shared/protocol/state";
import { GOLDEN } from "../runner/bench-box.ts";
import { classifier, slow, trap } from "../runner/models.ts";
import { type VariantPlan, World } from "./world.ts";

const golden = (cases: (typeof GOLDEN)["slow"]): VariantPlan["golden"] => ({
  schema: "muster.golden/1",
  tolerance: { absolute: 1e-4, relative: 1e-3 },
  minAgreement: 1,
  cases,
});

const heavy: VariantPlan = { id: "heavy", model: slow(4), golden: golden(GOLDEN.slow), accuracy: 0.99 };
const light: VariantPlan = {
  id: "light",
  model: classifier(),
  golden: golden(GOLDEN.classifier),
  accuracy: 0.9,
};
const deadly: VariantPlan = {
  id: "deadly",
  model: trap(),
  golden: golden([
    {
      inputs: [
        { name: "a", datatype: "INT32", shape: [1], data: [-(2 ** 31)] },
        { name: "b", datatype: "INT32", shape: [1], data: [-1] },
      ],
      outputs: [{ name: "quotient", datatype: "INT32", shape: [1], data: [0] }],
    },
  ]),
};
const elsewhere: VariantPlan = { ...light, id: "elsewhere", providers: ["cuda"] };
const variants = [heavy, deadly, elsewhere, light];

/** Variant folders of the release behind `current`. */
const onDisk = (world: World): string[] =>
  readdirSync(join(world.dataDir, "current", "models", "eyes", world.current() ?? "")).sort();

const running = (world: World): RunningComponent => world.engine.state().components[0]!;

async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  const world = await World.create();
  try {
    await use(world);
  } finally {
    await world.destroy();
  }
}

test("the variant that measures best runs, is reported with its numbers, and the losers are let go", () =>
  withWorld(async (world) => {
    const serving = { objective: { prefer: "latency" as const } };
    const result = await world.install(world.release("1.0.0", 1, { variants, serving }));
    assert.equal(result?.outcome, "succeeded");
    const { variant, provider, choice } = running(world);
    assert.deepEqual([variant, provider], ["light", "cpu"]);
    assert.equal(choice?.measured.agreement, 1);
    assert.equal(choice?.accuracy, 0.9);
    assert.deepEqual(
      choice?.losers.map((loser) => loser.variant),
      ["heavy", "deadly"],
    );
    assert.match(choice?.losers[0]?.reason ?? "", /^Worse than light on cpu: median /);
    assert.match(choice?.losers[1]?.reason ?? "", /^runner\.crashed: /);
    const [told] = world.messages("model.chosen");
    assert.match(told ?? "", /^eyes 1\.0\.0 runs as light on cpu by latency: median /);
    await world.until(() => !onDisk(world).includes("deadly"));
    assert.deepEqual(onDisk(world), ["heavy", "light"]);
    assert.equal(
      existsSync(join(world.dataDir, "current", "models", "eyes", "1.0.0", "light", "model.onnx")),
      true,
    );

    await world.reboot();
    await world.serves("1.0.0");
    assert.deepEqual(running(world).choice, choice);
    assert.equal(world.messages("model.chosen").length, 1);
    assert.deepEqual(onDisk(world), ["heavy", "light"]);
  }));

test("floors beat speed, and order with a floor takes the first that meets it", () =>
  withWorld(async (world) => {
    const accurate = { objective: { prefer: "latency" as const, minAccuracy: 0.95 } };
    await world.install(world.release("1.0.0", 1, { variants, serving: accurate }));
    assert.equal(running(world).variant, "heavy");
    const ordered = { objective: { prefer: "order" as const, minAgreement: 1 } };
    await world.install(world.release("2.0.0", 2, { variants: [deadly, light, heavy], serving: ordered }));
    assert.equal(running(world).variant, "light");
    const unmeasured = { objective: { prefer: "order" as const } };
    await world.install(world.release("3.0.0", 3, { variants: [heavy, light], serving: unmeasured }));
    assert.deepEqual([running(world).variant, running(world).choice], ["heavy", undefined]);
    assert.deepEqual(onDisk(world), ["heavy"]);
  }));

test("when none qualifies the update ends unchanged and says why of each", () =>
  withWorld(async (world) => {
    await world.install(world.release("1.0.0", 1, { variants: [light] }));
    const serving = { objective: { prefer: "latency" as const, minAccuracy: 1 } };
    const result = await world.install(world.release("2.0.0", 2, { variants: [light, deadly], serving }));
    assert.deepEqual([result?.outcome, result?.failure?.code], ["failed-unchanged", "model.none-qualifies"]);
    assert.match(
      result?.failure?.message ?? "",
      /light on cpu: Accuracy 90 % is below 100 %\. deadly on cpu: runner/,
    );
    assert.equal(world.current(), "1.0.0");
  }));

test("a choice that was made is not made again when the agent restarts before the release is live", () =>
  withWorld(async (world) => {
    const serving = { objective: { prefer: "memory" as const } };
    let cut = true;
    await world.reboot((inference) => {
      inference.onCall = (what) => {
        if (what === "prepare" && cut) throw new Error("the power went");
      };
    });
    const release = world.release("1.0.0", 1, { variants: [heavy, light], serving });
    const generation = await world.order(release);
    await world.until(() => world.messages("model.chosen").length === 1);
    cut = false;
    await world.reboot();
    await world.ended(generation).catch(() => undefined);
    assert.equal(world.messages("model.chosen").length, 1);
  }));

test("a release that is found without its journal has what is on disk to fall back to", () =>
  withWorld(async (world) => {
    const serving = { objective: { prefer: "latency" as const } };
    await world.install(world.release("1.0.0", 1, { variants: [heavy, light], serving }));
    await world.shutdown();
    for (const part of ["", "-wal", "-shm"]) rmSync(join(world.dataDir, `agent.db${part}`), { force: true });
    const ladders: string[][] = [];
    await world.boot((inference) => {
      const prepare = inference.prepare.bind(inference);
      inference.prepare = (deployment) => {
        const [model] = deployment.models;
        ladders.push([model?.variant ?? "", ...(model?.ladder ?? []).map(({ variant }) => variant)]);
        return prepare(deployment);
      };
    });
    await world.serves("1.0.0");
    assert.deepEqual(ladders, [["heavy", "light"]]);
  }));
