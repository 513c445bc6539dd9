import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { corrupt } from "../../models/bad-versions/corrupt.ts";
import { crashingVersion } from "../../models/bad-versions/crashing.ts";
import { inaccurateVersion } from "../../models/bad-versions/inaccurate.ts";
import { slowVersion } from "../../models/bad-versions/slow.ts";
import { defects } from "../../models/defects/family.ts";
import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { networkGraph } from "../../models/onnx/network-graph.ts";
import { LoadedModel } from "../../models/runtime.ts";
import { Network } from "../../models/training/network.ts";
import { seededRandom } from "../../models/training/random.ts";
import { drawBatch } from "../../models/training/train.ts";
import { executedOperators } from "./profile.ts";

const { face, plan, draw } = defects;
const graph = networkGraph(new Network(plan, seededRandom(8)), face, "untrained");
const { data } = drawBatch(draw, 3, seededRandom(9));

async function answers(version: Graph): Promise<Float32Array> {
  const model = await LoadedModel.load(encodeModel(version), face.dims);
  try {
    return await model.run(data);
  } finally {
    await model.close();
  }
}

test("the slow version does the extra work on every inference and answers the same", async () => {
  const turns = 300;
  const slow = slowVersion(graph, turns);
  assert.deepEqual(await answers(slow), await answers(graph));
  const counts = await executedOperators(encodeModel(slow), face.dims, data);
  assert.equal(counts.get("MatMul"), turns);
  assert.equal(counts.get("Tanh"), turns);
});

test("the crashing version answers the same while inputs stay below its limit", async () => {
  assert.deepEqual(await answers(crashingVersion(graph, 2)), await answers(graph));
});

test("the inaccurate version keeps every weight and only moves them", async () => {
  const bad = inaccurateVersion(graph, seededRandom(1));
  for (const [index, constant] of bad.constants.entries()) {
    const good = graph.constants[index]!;
    assert.equal(constant.name, good.name);
    assert.deepEqual(constant.data.toSorted(), good.data.toSorted());
  }
  assert.notDeepEqual(await answers(bad), await answers(graph));
});

test("corrupting changes one byte and never the size", async () => {
  const folder = await mkdtemp(join(tmpdir(), "muster-corrupt-"));
  try {
    const file = join(folder, "artifact");
    const bytes = Buffer.from(encodeModel(graph));
    for (const at of [undefined, 0, bytes.length - 1]) {
      await writeFile(file, bytes);
      await corrupt(file, at);
      const changed = await readFile(file);
      const places = [...bytes.keys()].filter((index) => bytes[index] !== changed[index]);
      assert.equal(changed.length, bytes.length);
      assert.deepEqual(places, [at ?? Math.floor(bytes.length / 2)]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
