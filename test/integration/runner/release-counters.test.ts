import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { sha256 } from "@muster/shared/trust/digest";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

let box: BenchBox;

before(async () => {
  box = await BenchBox.create();
});

after(() => box.close());

const SWAPS = 4;
const digestOf = (sequence: number) => sha256(`release ${sequence}`);
const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);

test("each inference is counted once and for the release that computed it, however releases are switched", async () => {
  const model = async (sequence: number) => ({
    ...(await box.model("classifier", classifier(), GOLDEN.classifier)),
    version: `${sequence}.0.0`,
  });
  const taken: InferenceCounters[] = [];
  const begun = performance.now();
  await box.serve([await model(1)], 1);
  const target = { url: box.url };
  const answered = new Map<string, number>();
  let loading = true;
  const load = async (keepAlive: boolean) => {
    const agent = keepAlive ? new Agent({ keepAlive }) : undefined;
    while (loading) {
      const { status, json } = await classify(agent ? { ...target, agent } : target, [0, 1, 2, 3]);
      assert.equal(status, 200);
      answered.set(json.model_version, (answered.get(json.model_version) ?? 0) + 1);
    }
  };
  const loads = [load(true), load(false), load(false)];
  // Heartbeats come at any moment, in the middle of a switch too.
  const beats = setInterval(() => taken.push(...box.inference.takeCounters()), 7);
  try {
    for (let sequence = 2; sequence <= SWAPS + 1; sequence++) {
      await until(() => (answered.get(`${sequence - 1}.0.0`) ?? 0) > 20, "the release is used");
      await box.serve([await model(sequence)], sequence);
    }
    await until(() => (answered.get(`${SWAPS + 1}.0.0`) ?? 0) > 20, "the last release is used");
  } finally {
    loading = false;
    await Promise.all(loads);
  }
  const requests = sum([...answered.values()]);
  await until(() => box.results.length === requests, "every result is stored");
  clearInterval(beats);
  taken.push(...box.inference.takeCounters());
  const lasted = performance.now() - begun;

  for (let sequence = 1; sequence <= SWAPS + 1; sequence++) {
    const own = taken.filter(({ release }) => release === digestOf(sequence));
    const expected = answered.get(`${sequence}.0.0`);
    const name = `release ${sequence}`;
    assert.equal(sum(own.map(({ inferences }) => inferences)), expected, name);
    assert.equal(sum(own.flatMap(({ latency }) => latency.counts)), expected, `${name}: latency`);
    assert.equal(sum(own.flatMap(({ confidence }) => confidence.counts)), expected, `${name}: confidence`);
    assert.equal(sum(own.map(({ failures, crashes, fallbacks }) => failures + crashes + fallbacks)), 0, name);
    assert.ok(sum(own.map(({ servingMs }) => servingMs)) > 0, `${name}: serving time`);
  }
  const known = new Set<string>(Array.from({ length: SWAPS + 1 }, (_, index) => digestOf(index + 1)));
  assert.deepEqual(
    taken.filter(({ release }) => release === null || !known.has(release)),
    [],
  );
  assert.ok(sum(taken.map(({ servingMs }) => servingMs)) <= lasted, "one release serves at a time");
});

test("a crash is counted for its release, also when another one takes over before the runner is back", async () => {
  const [one, two] = [digestOf(21), digestOf(22)];
  const serve = async (sequence: number) => {
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)], sequence);
    // A connection that was kept may still lead to the runner of the release before.
    const target = { url: box.url, agent: new Agent({ keepAlive: false }) };
    const { status } = await classify(target, [0, 1, 2, 3], { parameters: { muster_durable: true } });
    assert.equal(status, 200);
  };
  await serve(21);
  process.kill(box.inference.status().pid!, "SIGKILL");
  await until(() => box.inference.status().state === "starting", "the crash is noticed");
  await serve(22);
  const counters = box.inference.takeCounters();
  const of = (digest: string) => counters.filter(({ release }) => release === digest);
  assert.deepEqual(
    [one, two].map((digest) => of(digest).map(({ crashes, inferences }) => [crashes, inferences])),
    [[[1, 1]], [[0, 1]]],
  );
});
