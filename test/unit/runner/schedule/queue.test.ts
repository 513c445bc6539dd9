import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dueOf, TierQueue } from "@muster/agent/runner/schedule/queue";
import { TIERS, type Tier } from "@muster/shared/protocol/serving/tiers";
import fc from "fast-check";

interface Item {
  tier: Tier;
  deadlineAt: number;
  dueAt?: number;
  id: number;
}

const item = (id: number, tier: Tier, deadlineAt = Number.POSITIVE_INFINITY): Item => ({
  id,
  tier,
  deadlineAt,
});
const idsOf = (items: Iterable<Item>) => [...items].map(({ id }) => id);

const filled = (items: Item[], limit = 100): TierQueue<Item> => {
  const queue = new TierQueue<Item>(limit);
  for (const each of items) queue.offer(each);
  return queue;
};

describe("the queue", () => {
  const cases: [string, Item[], number[]][] = [
    ["in order of arrival", [item(1, "standard"), item(2, "standard")], [1, 2]],
    [
      "the more important tier first",
      [item(1, "best-effort", 1), item(2, "standard", 9), item(3, "critical")],
      [3, 2, 1],
    ],
    [
      "the earliest deadline first, those without one last",
      [item(1, "standard"), item(2, "standard", 30), item(3, "standard", 10), item(4, "standard", 30)],
      [3, 2, 4, 1],
    ],
  ];
  for (const [name, items, order] of cases) test(name, () => assert.deepEqual(idsOf(filled(items)), order));

  test("one without a deadline is not held up for ever by hurried ones that keep coming", () => {
    const at = 1000;
    const patient = { ...item(0, "standard"), dueAt: dueOf(Number.POSITIVE_INFINITY, at) };
    const queue = filled([patient]);
    for (let id = 1; id <= 20; id++) {
      const deadlineAt = at + id * 1000;
      queue.offer({ ...item(id, "standard", deadlineAt), dueAt: dueOf(deadlineAt, at + id * 500) });
    }
    assert.deepEqual(idsOf(queue).indexOf(0), 4);
    assert.deepEqual(
      idsOf(queue.ahead({ ...patient, dueAt: dueOf(Number.POSITIVE_INFINITY, at) })).length,
      6,
    );
  });

  test("each tier is bounded for itself", () => {
    const queue = filled([item(1, "standard"), item(2, "standard")], 2);
    assert.equal(queue.offer(item(3, "standard", 1)), false);
    assert.equal(queue.offer(item(4, "critical")), true);
    assert.deepEqual(idsOf(queue), [4, 1, 2]);
    queue.drop(({ id }) => id === 1);
    assert.equal(queue.offer(item(5, "standard")), true);
  });

  test("what a new one comes behind", () => {
    const queue = filled([
      item(1, "critical"),
      item(2, "standard", 10),
      item(3, "standard", 20),
      item(4, "best-effort", 1),
    ]);
    assert.deepEqual(idsOf(queue.ahead(item(9, "standard", 10))), [1, 2]);
    assert.deepEqual(idsOf(queue.ahead(item(9, "critical", 0))), []);
    assert.deepEqual(idsOf(queue.ahead(item(9, "best-effort"))), [1, 2, 3, 4]);
  });
});

const items = fc.array(
  fc.record({
    tier: fc.constantFrom(...TIERS),
    deadlineAt: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant(Number.POSITIVE_INFINITY)),
  }),
  { maxLength: 60 },
);

const goesBefore = (a: Item, b: Item): boolean => {
  const tiers = TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier);
  if (tiers !== 0) return tiers < 0;
  return a.deadlineAt === b.deadlineAt ? a.id < b.id : a.deadlineAt < b.deadlineAt;
};

test("property: always by tier, deadline and arrival; nothing is lost and nothing comes twice", () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 30 }), fc.array(fc.nat(60)), (drawn, limit, dropped) => {
      const queue = new TierQueue<Item>(limit);
      const taken = drawn.map((each, id) => ({ ...each, id })).filter((each) => queue.offer(each));
      for (const tier of TIERS) {
        const offered = drawn.filter((each) => each.tier === tier).length;
        assert.equal(queue.tier(tier).length, Math.min(offered, limit));
      }
      const order = [...queue];
      for (const [index, each] of order.entries())
        if (index > 0) assert.ok(goesBefore(order[index - 1]!, each));
      assert.deepEqual(new Set(order), new Set(taken));
      const out = queue.drop(({ id }) => dropped.includes(id));
      assert.deepEqual(
        idsOf(out),
        idsOf(order).filter((id) => dropped.includes(id)),
      );
      assert.deepEqual(
        idsOf(queue),
        idsOf(order).filter((id) => !dropped.includes(id)),
      );
      assert.equal(queue.size, order.length - out.length);
    }),
  );
});

test("property: `ahead` is what `offer` puts before it", () => {
  fc.assert(
    fc.property(
      items,
      fc.constantFrom(...TIERS),
      fc.integer({ min: 0, max: 20 }),
      (drawn, tier, deadlineAt) => {
        const queue = filled(drawn.map((each, id) => ({ ...each, id })));
        const probe = item(-1, tier, deadlineAt);
        const ahead = idsOf(queue.ahead(probe));
        queue.offer(probe);
        assert.deepEqual(ahead, idsOf(queue).slice(0, idsOf(queue).indexOf(-1)));
      },
    ),
  );
});
