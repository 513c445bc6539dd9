import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAIR } from "@muster/agent/power/conditions";
import type { Inferred } from "@muster/agent/runner/infer";
import type { LoadedModel } from "@muster/agent/runner/model";
import { Scheduler } from "@muster/agent/runner/schedule/scheduler";
import { isMusterError, type MusterError } from "@muster/shared/errors";
import { callOf, float, LoadedModels } from "./loaded.ts";
import { classifier, lookup, mixing, slow, slowPerRow } from "./models.ts";

const TOLERANCE = { absolute: 1e-5, relative: 1e-4 };

let models: LoadedModels;
let rows: LoadedModel;
let heavy: LoadedModel;

before(async () => {
  models = await LoadedModels.create();
  rows = await models.load("classifier", classifier());
  heavy = await models.load("slow", slow(30));
});

after(() => models.close());

const rowOf = (seed: number) => [seed % 7, (seed * 3) % 5, seed % 3, (seed * 2) % 11];
const softmax = (values: number[]) => {
  const powers = values.map((value) => Math.exp(value - Math.max(...values)));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
};
const classify = (seed: number, count = 1) => {
  const data = Array.from({ length: count }, (_, row) => rowOf(seed + row)).flat();
  return callOf(rows, [float("x", [count, 4], data)]);
};
const heavyCall = (more: Parameters<typeof callOf>[2] = {}) => callOf(heavy, [float("x", [1, 1], [1])], more);

function assertClassified({ values, verdicts, error }: Inferred, seed: number, count = 1): void {
  assert.equal(error, undefined);
  assert.deepEqual(values[0]!.shape, [count, 4]);
  assert.equal(verdicts.length, count);
  const got = [...(values[0]!.data as Float32Array)];
  const want = Array.from({ length: count }, (_, row) => softmax(rowOf(seed + row))).flat();
  for (const [index, value] of want.entries()) assert.ok(Math.abs(got[index]! - value) < 1e-5);
}

const code = (expected: MusterError["code"]) => (error: unknown) => isMusterError(error, expected);

/** A scheduler that knows the classifier. */
async function warm(limit = 100, model = rows): Promise<Scheduler> {
  const scheduler = new Scheduler(limit);
  const samples = [float("x", [2, 4], [...rowOf(1), ...rowOf(2)])];
  await scheduler.warmUp(model, { inputs: [samples], tolerance: TOLERANCE });
  return scheduler;
}

/** A scheduler that knows what the slow model takes. */
async function warmHeavy(limit = 100): Promise<Scheduler> {
  const scheduler = new Scheduler(limit);
  await scheduler.warmUp(heavy, { inputs: [[float("x", [1, 1], [1])]], tolerance: TOLERANCE });
  return scheduler;
}

describe("batches", () => {
  test("requests that wait are computed together, and each gets its own rows", async () => {
    const scheduler = await warm();
    const counts = Array.from({ length: 60 }, (_, index) => (index % 9 === 0 ? 3 : 1));
    const answers = await Promise.all(counts.map((count, seed) => scheduler.infer(classify(seed, count))));
    for (const [seed, answer] of answers.entries()) assertClassified(answer, seed, counts[seed]);
    assert.ok(Math.max(...answers.map(({ batchRows }) => batchRows)) > 1);
    for (const { cpuUs, latencyUs, queueUs } of answers)
      assert.ok(cpuUs >= 0 && latencyUs > 0 && queueUs >= 0);
  });

  test("a size that the model cannot compute is not used, and stops no release", async () => {
    const small: LoadedModel = {
      ...rows,
      run: (inputs, names) =>
        inputs[0]!.shape[0]! > 8 ? Promise.reject(new Error("no memory")) : rows.run(inputs, names),
    };
    const scheduler = await warm(100, small);
    const calls = Array.from({ length: 40 }, (_, seed) => ({ ...classify(seed), model: small }));
    const answers = await Promise.all(calls.map((call) => scheduler.infer(call)));
    for (const [seed, answer] of answers.entries()) assertClassified(answer, seed);
    assert.ok(Math.max(...answers.map(({ batchRows }) => batchRows)) <= 8);
  });

  test("failures that come at once do not make the model look quick", async () => {
    let broken = false;
    const flaky: LoadedModel = {
      ...heavy,
      run: (inputs, names) => (broken ? Promise.reject(new Error("broken")) : heavy.run(inputs, names)),
    };
    const scheduler = new Scheduler(100);
    await scheduler.warmUp(flaky, { inputs: [[float("x", [1, 1], [1])]], tolerance: TOLERANCE });
    const call = () => ({ ...heavyCall(), model: flaky });
    const before = scheduler.predict(call());
    broken = true;
    for (let asked = 0; asked < 6; asked++) await scheduler.infer(call());
    assert.equal(scheduler.predict(call()), before);
  });

  test("before the warm-up each is computed alone, and so is one of more rows than a batch", async () => {
    const cold = new Scheduler(100);
    const alone = await Promise.all([1, 2, 3].map((seed) => cold.infer(classify(seed))));
    assert.deepEqual(
      alone.map(({ batchRows }) => batchRows),
      [1, 1, 1],
    );
    const scheduler = await warm();
    const large = await scheduler.infer(classify(5, 300));
    assertClassified(large, 5, 300);
  });

  test("a request that would block the thread for long is computed in pieces, with others between", async () => {
    const long = await models.load("long", slowPerRow());
    const scheduler = new Scheduler(100);
    const sample = Array.from({ length: 512 }, (_, index) => index / 512);
    await scheduler.warmUp(long, { inputs: [[float("x", [1, 512], sample)]], tolerance: TOLERANCE });
    const perRow = scheduler.predict(callOf(long, [float("x", [1, 512], sample)]));
    const count = Math.ceil(300 / perRow);
    const data = Array.from({ length: count * 512 }, (_, index) => (index % 97) / 97);
    const order: string[] = [];
    const large = scheduler.infer(callOf(long, [float("x", [count, 512], data)])).then((answer) => {
      order.push("large");
      return answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const small = await scheduler.infer(
      callOf(long, [float("x", [1, 512], data.slice(-512))], { tier: "critical" }),
    );
    order.push("critical");
    const { values, verdicts, error } = await large;
    assert.deepEqual(order, ["critical", "large"]);
    assert.equal(error, undefined);
    assert.deepEqual([values[0]!.shape, verdicts.length], [[count, 4], count]);
    const last = (values[0]!.data as Float32Array).subarray(-4);
    for (const [index, value] of [...(small.values[0]!.data as Float32Array)].entries())
      assert.ok(Math.abs(last[index]! - value) < 1e-4);
  });

  test("no rows are no problem", async () => {
    const scheduler = await warm();
    const [none, one] = await Promise.all([scheduler.infer(classify(1, 0)), scheduler.infer(classify(2))]);
    assert.deepEqual(none.values[0]!.shape, [0, 4]);
    assertClassified(one, 2);
  });

  test("a model whose rows influence each other is never given several", async () => {
    const model = await models.load("mixing", mixing());
    const scheduler = new Scheduler(100);
    const inputs = [[float("x", [1, 4], rowOf(1))], [float("x", [1, 4], rowOf(2))]];
    assert.match(
      (await scheduler.warmUp(model, { inputs, tolerance: TOLERANCE }))!,
      /depends on the rows beside it/,
    );
    const answers = await Promise.all(
      [1, 2, 3].map((seed) => scheduler.infer(callOf(model, [float("x", [1, 4], rowOf(seed))]))),
    );
    for (const { batchRows, values } of answers) {
      assert.equal(batchRows, 1);
      assert.deepEqual([...(values[0]!.data as Float32Array)], [1, 1, 1, 1]);
    }
  });

  test("an input that the model cannot take fails alone", async () => {
    const model = await models.load("lookup", lookup());
    const asked = (index: bigint) => [
      { name: "x", datatype: "INT64" as const, shape: [1], data: BigInt64Array.of(index) },
    ];
    const scheduler = new Scheduler(100);
    await scheduler.warmUp(model, { inputs: [asked(1n), asked(2n)], tolerance: TOLERANCE });
    const answers = await Promise.all(
      [0n, 1n, 99n, 2n, 3n].map((index) => scheduler.infer(callOf(model, asked(index)))),
    );
    assert.deepEqual(
      answers.map(({ error, values }) => error?.code ?? (values[0]!.data as Float32Array)[0]),
      [10, 11, "inference.failed", 12, 13],
    );
    assert.equal(answers[2]!.verdicts[0]!.ok, false);
  });
});

describe("tiers and deadlines", () => {
  test("the event loop turns between batches", async () => {
    const scheduler = await warmHeavy();
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    let seen = -1;
    const answers = Array.from({ length: 4 }, () =>
      scheduler.infer(heavyCall()).then(() => {
        assert.ok(turns > seen, "nothing else ran since the last batch");
        seen = turns;
      }),
    );
    await Promise.all(answers);
    clearInterval(timer);
  });

  test("what is more important overtakes, and within a tier the earliest deadline", async () => {
    const scheduler = await warmHeavy();
    const order: string[] = [];
    const ask = (name: string, more: Parameters<typeof callOf>[2]) =>
      scheduler.infer(heavyCall(more)).then(() => order.push(name));
    await Promise.all([
      ask("best effort", { tier: "best-effort" }),
      ask("late", { timeoutMs: 90_000 }),
      ask("early", { timeoutMs: 60_000 }),
      ask("critical", { tier: "critical" }),
    ]);
    assert.deepEqual(order, ["critical", "early", "late", "best effort"]);
  });

  test("a request that cannot be answered in time is refused at once, with the time to wait", async () => {
    const scheduler = await warmHeavy();
    const waiting = [1, 2, 3].map(() => scheduler.infer(heavyCall()));
    await assert.rejects(scheduler.infer(heavyCall({ timeoutMs: 1 })), (error: MusterError) => {
      assert.equal(error.code, "inference.overloaded");
      assert.ok(Number.isInteger(error.retryAfterSeconds) && error.retryAfterSeconds! >= 1);
      return true;
    });
    await Promise.all(waiting);
  });

  test("one that is overtaken beyond its deadline is told before the thread is blocked", async () => {
    const scheduler = await warmHeavy();
    const ms = scheduler.predict(heavyCall());
    const order: string[] = [];
    const overtaken = scheduler.infer(heavyCall({ timeoutMs: ms * 1.5 })).catch((error: MusterError) => {
      order.push(error.code);
    });
    const critical = [1, 2].map(() =>
      scheduler.infer(heavyCall({ tier: "critical" })).then(() => order.push("answered")),
    );
    await Promise.all([overtaken, ...critical]);
    assert.deepEqual(order, ["inference.expired", "answered", "answered"]);
  });

  test("a tier that is full refuses, the others take more", async () => {
    const scheduler = await warmHeavy(2);
    const taken = [1, 2].map(() => scheduler.infer(heavyCall()));
    await assert.rejects(scheduler.infer(heavyCall()), code("inference.overloaded"));
    taken.push(scheduler.infer(heavyCall({ tier: "critical" })));
    await Promise.all(taken);
    await scheduler.infer(heavyCall());
  });

  test("those whose caller has gone are not computed and free their place", async () => {
    const scheduler = await warmHeavy(2);
    const gone = new AbortController();
    const cancelled = assert.rejects(
      scheduler.infer(heavyCall({ signal: gone.signal })),
      code("inference.cancelled"),
    );
    const kept = scheduler.infer(heavyCall());
    gone.abort();
    await Promise.all([cancelled, kept, scheduler.infer(heavyCall())]);
  });

  test("best effort is deferred as the box wants it, nothing else is", async () => {
    const scheduler = await warm();
    scheduler.obey({ ...FAIR, bestEffort: { perSecond: null, deferredUntil: Date.now() + 90_000 } });
    await assert.rejects(scheduler.infer({ ...classify(1), tier: "best-effort" }), (error: MusterError) => {
      assert.equal(error.code, "inference.deferred");
      assert.ok(error.retryAfterSeconds! > 80 && error.retryAfterSeconds! <= 90);
      return true;
    });
    assertClassified(await scheduler.infer(classify(1)), 1);
    scheduler.obey(FAIR);
    assertClassified(await scheduler.infer({ ...classify(2), tier: "best-effort" }), 2);
  });
});

test("several models share the thread: nothing is lost, nothing is mixed up", async () => {
  const scheduler = await warm(1000);
  const other = await models.load("doubled", classifier(2));
  await scheduler.warmUp(other, { inputs: [[float("x", [1, 4], rowOf(3))]], tolerance: TOLERANCE });
  const tiers = ["critical", "standard", "best-effort"] as const;
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, seed) => {
      const call = classify(seed);
      return scheduler.infer({ ...call, model: seed % 2 === 0 ? rows : other, tier: tiers[seed % 3]! });
    }),
  );
  for (const [seed, answer] of answers.entries()) {
    const want = softmax(rowOf(seed).map((value) => (seed % 2 === 0 ? value : value * 2)));
    assert.equal(answer.by.name, seed % 2 === 0 ? "classifier" : "doubled");
    for (const [index, value] of [...(answer.values[0]!.data as Float32Array)].entries())
      assert.ok(Math.abs(value - want[index]!) < 1e-5);
  }
});

test("rows wait for company only where the release asks for it, and no longer than it says", async () => {
  const patient = await models.load("patient", classifier(), {
    serving: { batching: { maxBatch: 8, maxDelayMs: 500 } },
  });
  const scheduler = await warm(100, patient);
  const ask = (seed: number) => scheduler.infer({ ...classify(seed), model: patient });
  const first = ask(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const [one, two] = await Promise.all([first, ask(2)]);
  assert.deepEqual([one.batchRows, two.batchRows], [2, 2]);
  assertClassified(one, 1);
  assertClassified(two, 2);
});
