import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchBox, GOLDEN, isRunning, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

let box: BenchBox;

before(async () => {
  box = await BenchBox.create();
});

after(() => box.close());

const SWAPS = 5;

test("no request fails while releases are swapped under load, and none is answered by an ended release", async () => {
  const model = async (sequence: number) => ({
    ...(await box.model("classifier", classifier(), GOLDEN.classifier)),
    version: `${sequence}.0.0`,
  });
  await box.serve([await model(1)], 1);
  const { endpoint } = box.inference.status();
  const agent = new Agent({ keepAlive: true });
  const tcp = { url: endpoint.url! };
  const socket = { url: endpoint.url!, socketPath: endpoint.socket! };
  const seen = new Map<string, number>();
  const problems: string[] = [];
  const durableIds: string[] = [];
  let loading = true;
  let requests = 0;
  const load = async (target: typeof tcp, pauseMs: number, durable: boolean) => {
    while (loading) {
      const id = `q${requests++}`;
      try {
        const parameters = durable ? { parameters: { muster_durable: true } } : {};
        const { status, json } = await classify(target, [0, 1, 2, 3], { id, ...parameters });
        if (status !== 200) problems.push(`${status} ${json?.error}`);
        else if (durable) durableIds.push(id);
        seen.set(json.model_version, (seen.get(json.model_version) ?? 0) + 1);
      } catch (error) {
        problems.push(String(error));
      }
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  const loads = [
    load({ ...tcp, agent } as typeof tcp, 0, false),
    load({ ...socket, agent: new Agent({ keepAlive: true }) } as typeof tcp, 0, true),
    load({ ...tcp, agent: new Agent({ keepAlive: true }) } as typeof tcp, 40, true),
    load(tcp, 3, false),
    load(socket, 3, false),
  ];
  const pids: number[] = [];
  for (let sequence = 2; sequence <= SWAPS + 1; sequence++) {
    pids.push(box.inference.status().pid!);
    const before = seen.get(`${sequence - 1}.0.0`) ?? 0;
    await until(() => (seen.get(`${sequence - 1}.0.0`) ?? 0) > before + 20, "the release is used");
    await box.serve([await model(sequence)], sequence);
    const { state, release, endpoint: now } = box.inference.status();
    assert.deepEqual([state, release?.sequence, now], ["ready", sequence, endpoint]);
  }
  await until(() => (seen.get(`${SWAPS + 1}.0.0`) ?? 0) > 50, "the last release is used");
  loading = false;
  await Promise.all(loads);
  assert.deepEqual(problems, []);
  assert.equal(seen.size, SWAPS + 1);
  await until(() => pids.every((pid) => !isRunning(pid)), "the old runners are gone");
  const stored = new Set(box.results.map(({ body }) => body.id));
  assert.deepEqual(
    durableIds.filter((id) => !stored.has(id)),
    [],
  );
  await until(() => box.results.length === requests, "every result is stored");
  assert.equal(box.inference.status().restarts, 0);
  assert.deepEqual(box.events, []);
});

test("what is observed begins anew with each release", async () => {
  assert.ok(box.inference.observed().inferences > 0);
  await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)], 9);
  assert.deepEqual(box.inference.observed(), { inferences: 0, failures: 0, crashes: 0, p95Ms: null });
});
