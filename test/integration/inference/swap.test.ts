import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import { BenchBox, GOLDEN, isRunning, until } from "../runner/bench-box.ts";
import { infer, type Target } from "../runner/client.ts";
import { arithmetic, classifier, ELEMENT, identity } from "../runner/models.ts";

let box: BenchBox;

before(async () => {
  box = await BenchBox.create();
});

after(() => box.close());

type Shape = Record<string, string>;

/** Groups by model name: they are cut otherwise in each release. */
const SHAPES: Shape[] = [
  { classifier: "a", arithmetic: "b", plain: "c" },
  { classifier: "b", arithmetic: "a", plain: "a" },
  { classifier: "only", arithmetic: "only", plain: "only" },
  { classifier: "a", arithmetic: "b", plain: "c" },
];

async function models(shape: Shape, version: string) {
  const more = (name: string) => ({ version, serving: { group: shape[name]! } });
  return [
    await box.model("classifier", classifier(), GOLDEN.classifier, more("classifier")),
    await box.model("arithmetic", arithmetic(), GOLDEN.arithmetic, more("arithmetic")),
    await box.model(
      "plain",
      identity(ELEMENT.float32, ["n"]),
      GOLDEN.identity("FP32", [1], [1]),
      more("plain"),
    ),
  ];
}

const floats = (name: string, shape: number[], data: number[]) => ({ name, datatype: "FP32", shape, data });

const REQUESTS: [string, object[]][] = [
  ["classifier", [floats("x", [1, 4], [0, 9, 0, 0])]],
  ["arithmetic", [floats("a", [1], [1]), floats("b", [1], [2])]],
  ["plain", [floats("x", [1], [3])]],
];

test("no request fails while all groups of a release are swapped together, however they are cut", async () => {
  await box.serve(await models(SHAPES[0]!, "1.0.0"), 1);
  const { endpoint } = box.inference.status();
  const seen = new Map<string, number>();
  const problems: string[] = [];
  let loading = true;
  const load = async (target: Target, from: number) => {
    for (let turn = from; loading; turn++) {
      const [model, inputs] = REQUESTS[turn % REQUESTS.length]!;
      try {
        const { status, json } = await infer(target, model, { inputs });
        if (status !== 200) problems.push(`${model}: ${status} ${json?.error}`);
        else seen.set(json.model_version, (seen.get(json.model_version) ?? 0) + 1);
      } catch (error) {
        problems.push(`${model}: ${error}`);
      }
    }
  };
  const socket = { url: endpoint.url!, socketPath: endpoint.socket! };
  const loads = [
    load({ url: endpoint.url!, agent: new Agent({ keepAlive: true }) }, 0),
    load({ ...socket, agent: new Agent({ keepAlive: true }) }, 1),
    load({ url: endpoint.url! }, 2),
    load(socket, 0),
  ];
  const gone: number[] = [];
  for (const [index, shape] of SHAPES.entries()) {
    if (index === 0) continue;
    const version = `${index + 1}.0.0`;
    const last = `${index}.0.0`;
    const before = seen.get(last) ?? 0;
    await until(() => (seen.get(last) ?? 0) > before + 30, "the release is used");
    gone.push(...box.inference.status().groups.map(({ pid }) => pid!));
    await box.serve(await models(shape, version), index + 1);
    const { state, components } = box.inference.status();
    assert.equal(state, "ready");
    assert.deepEqual(
      components.map((component) => component.version),
      [version, version, version],
    );
  }
  const last = `${SHAPES.length}.0.0`;
  await until(() => (seen.get(last) ?? 0) > 50, "the last release is used");
  loading = false;
  await Promise.all(loads);
  assert.deepEqual(problems, []);
  await until(() => gone.every((pid) => !isRunning(pid)), "the old runners are gone");
  assert.equal(box.inference.status().restarts, 0);
  assert.deepEqual(box.events, []);
});

test("a release of which one group cannot be loaded changes nothing", async () => {
  const { release, groups } = box.inference.status();
  const [first, second] = await models(SHAPES[0]!, "9.0.0");
  const wrong = { ...second!, digest: `sha256:${"0".repeat(64)}` };
  await assert.rejects(box.inference.prepare(box.deployment([first!, wrong], 9)), {
    code: "artifact.corrupted",
  });
  const now = box.inference.status();
  assert.deepEqual(now.release, release);
  assert.deepEqual(
    now.groups.map(({ pid }) => pid),
    groups.map(({ pid }) => pid),
  );
});
