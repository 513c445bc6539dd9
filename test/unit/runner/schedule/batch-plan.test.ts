import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Candidate,
  type Lane,
  NONE_PASSED_OVER,
  planBatch,
  predictAnswer,
} from "@muster/agent/runner/schedule/batch-plan";
import { TierQueue } from "@muster/agent/runner/schedule/queue";
import { TIERS, type Tier } from "@muster/shared/protocol/serving/tiers";
import fc from "fast-check";

interface Job extends Candidate {
  readonly id: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** 1 ms and 0.5 ms more for each row. */
const lane = (maxBatch: number, maxDelayMs = 0): Lane => ({
  maxBatch,
  maxDelayMs,
  predict: (rows) => 1 + rows / 2,
});

let ids = 0;
const nextId = (): number => ++ids;
const job = (on: Lane, more: Partial<Job> = {}): Job => ({
  id: nextId(),
  lane: on,
  tier: "standard",
  deadlineAt: NEVER,
  rows: 1,
  queuedAt: 0,
  ...more,
});

const queued = (jobs: Job[]): TierQueue<Job> => {
  const queue = new TierQueue<Job>(1000);
  for (const each of jobs) queue.offer(each);
  return queue;
};

const plan = (jobs: Job[], now = 0, passedOver = NONE_PASSED_OVER) => {
  const queue = queued(jobs);
  const planned = planBatch(queue, passedOver, now);
  const position = (each: Job) => jobs.indexOf(each);
  return { ...planned, batch: planned.batch.map(position), late: planned.late.map(position), queue };
};

describe("the next batch", () => {
  const a = lane(4);
  const b = lane(4);

  test("nothing of nothing", () => {
    const { batch, late, wakeAt } = plan([]);
    assert.deepEqual([batch, late, wakeAt], [[], [], NEVER]);
  });

  test("as many of the leader's model as fit, in order", () => {
    const jobs = [job(a), job(b), job(a), job(a), job(a), job(a)];
    const { batch, rows, predictedMs, queue } = plan(jobs);
    assert.deepEqual([batch, rows, predictedMs, queue.size], [[0, 2, 3, 4], 4, 3, 2]);
  });

  test("the earliest deadline leads over all models", () =>
    assert.deepEqual(plan([job(a), job(b, { deadlineAt: 50 }), job(a)]).batch, [1]));

  test("a critical one leads, and others of its model fill what is free", () => {
    const jobs = [job(a, { tier: "best-effort" }), job(b), job(a), job(a, { tier: "critical" })];
    assert.deepEqual(plan(jobs).batch, [3, 2, 0]);
  });

  test("several rows count as several, and what does not fit waits with all behind it", () => {
    const jobs = [job(a, { rows: 2 }), job(a, { rows: 3 }), job(a)];
    assert.deepEqual(plan(jobs).batch, [0]);
    assert.deepEqual(plan([job(a, { rows: 3 }), job(a), job(a)]).batch, [0, 1]);
  });

  test("more rows than a batch run alone", () =>
    assert.deepEqual(plan([job(a, { rows: 9 }), job(a)]).batch, [0]));

  test("one without rows runs alone: nothing that fills a batch may join it", () =>
    assert.deepEqual(plan([job(a, { rows: 0 }), job(a, { rows: 4 })]).batch, [0]));

  test("one by one where the model takes no batches", () =>
    assert.deepEqual(plan([job(lane(1)), job(lane(1))]).batch, [0]));

  test("no larger than the first deadline allows", () => {
    const jobs = [job(a, { deadlineAt: 2.1 }), job(a, { deadlineAt: 9 }), job(a), job(a)];
    assert.deepEqual(plan(jobs).batch, [0, 1]);
  });
});

describe("what is late", () => {
  const a = lane(1);

  test("cannot make it even if it runs at once", () => {
    const { batch, late } = plan([job(a, { deadlineAt: 1.4 }), job(a)]);
    assert.deepEqual([batch, late], [[1], [0]]);
  });

  test("cannot make it behind the batch that runs now", () => {
    const jobs = [
      job(a),
      job(a, { tier: "best-effort", deadlineAt: 2.9 }),
      job(a, { tier: "best-effort", deadlineAt: 3 }),
    ];
    const { batch, late } = plan(jobs);
    assert.deepEqual([batch, late], [[0], [1]]);
  });

  test("is not what is tried against the prediction, until its deadline has passed", () => {
    const jobs = [job(a, { deadlineAt: 1, tried: true })];
    assert.deepEqual(plan(jobs, 0.5).batch, [0]);
    assert.deepEqual(plan(jobs, 1).late, [0]);
  });
});

describe("waiting for company", () => {
  const patient = lane(3, 10);

  test("no longer than asked for", () => {
    const jobs = [job(patient, { queuedAt: 5 }), job(patient, { queuedAt: 8 })];
    const waiting = plan(jobs, 14);
    assert.deepEqual([waiting.batch, waiting.wakeAt], [[], 15]);
    assert.deepEqual(plan(jobs, 15).batch, [0, 1]);
  });

  test("not once the batch is full", () =>
    assert.deepEqual(plan([job(patient), job(patient), job(patient)], 1).batch, [0, 1, 2]));

  test("not beyond what a deadline leaves", () =>
    assert.equal(plan([job(patient, { deadlineAt: 6 })], 1).wakeAt, 6 - patient.predict(3)));

  test("other models run meanwhile", () =>
    assert.deepEqual(plan([job(patient, { tier: "critical" }), job(lane(1))], 1).batch, [1]));
});

describe("no tier starves", () => {
  test("one that was passed over 16 times leads", () => {
    const a = lane(1);
    const queue = queued([job(a, { id: 1, tier: "best-effort" }), job(a, { id: 2, tier: "standard" })]);
    let passedOver = NONE_PASSED_OVER;
    const order: Tier[] = [];
    for (let batch = 0; batch < 40; batch++) {
      queue.offer(job(a, { tier: "critical" }));
      const planned = planBatch(queue, passedOver, 0);
      passedOver = planned.passedOver;
      order.push(planned.batch[0]!.tier);
    }
    assert.deepEqual(order.indexOf("standard"), 16);
    assert.deepEqual(order.indexOf("best-effort"), 17);
    assert.equal(order.filter((tier) => tier !== "critical").length, 2);
  });
});

describe("when a request would be answered", () => {
  test("behind what runs, and what is ahead batch by batch", () => {
    const a = lane(4);
    const b = lane(1);
    const ahead = [job(a), job(a), job(b), job(b)];
    assert.equal(predictAnswer(ahead, 7, a, 1), 7 + a.predict(3) + 2 * b.predict(1));
    assert.equal(predictAnswer(ahead, 0, a, 4), a.predict(4) + a.predict(2) + 2 * b.predict(1));
    assert.equal(predictAnswer([], 0, a, 1), a.predict(1));
  });
});

const drawnJobs = fc.array(
  fc.record({
    tier: fc.constantFrom(...TIERS),
    model: fc.nat(2),
    rows: fc.integer({ min: 1, max: 10 }),
    deadlineAt: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constant(NEVER)),
    queuedAt: fc.integer({ min: 0, max: 10 }),
  }),
  { maxLength: 50 },
);

test("property: every job is computed or late, once; batches keep bounds and deadlines; work never waits", () => {
  const lanes = [lane(1), lane(4), lane(8)];
  fc.assert(
    fc.property(drawnJobs, (drawn) => {
      const jobs = drawn.map(({ model, ...rest }) => job(lanes[model]!, rest));
      const queue = queued(jobs);
      const done: Job[] = [];
      let passedOver = NONE_PASSED_OVER;
      let now = 10;
      while (queue.size > 0) {
        const before = queue.size;
        const planned = planBatch(queue, passedOver, now);
        passedOver = planned.passedOver;
        const { batch, late, rows, predictedMs } = planned;
        assert.equal(before - queue.size, batch.length + late.length);
        assert.ok(batch.length > 0 || queue.size === 0, "something waits though the runner is free");
        for (const each of batch) {
          assert.equal(each.lane, batch[0]!.lane);
          assert.ok(now + predictedMs <= each.deadlineAt);
        }
        assert.equal(
          rows,
          batch.reduce((sum, each) => sum + each.rows, 0),
        );
        assert.ok(batch.length <= 1 || rows <= batch[0]!.lane.maxBatch);
        for (const each of late)
          assert.ok(each.deadlineAt < now + predictedMs + each.lane.predict(each.rows));
        done.push(...batch, ...late);
        now += predictedMs;
      }
      assert.deepEqual(
        done.map(({ id }) => id).sort((x, y) => x - y),
        jobs.map(({ id }) => id),
      );
    }),
  );
});

test("property: a tier waits at most 18 batches for its turn, whatever comes", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...TIERS), { minLength: 100, maxLength: 300 }), (arrivals) => {
      const one = lane(1);
      const queue = queued(TIERS.map((tier) => job(one, { tier })));
      const waited: Record<Tier, number> = { critical: 0, standard: 0, "best-effort": 0 };
      let passedOver = NONE_PASSED_OVER;
      for (const tier of arrivals) {
        queue.offer(job(one, { tier }));
        const planned = planBatch(queue, passedOver, 0);
        passedOver = planned.passedOver;
        for (const each of TIERS) {
          const served = planned.batch[0]!.tier === each || queue.tier(each).length === 0;
          waited[each] = served ? 0 : waited[each] + 1;
          assert.ok(waited[each] <= 18, `${each} waits for ${waited[each]} batches`);
        }
      }
    }),
  );
});
