import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { restartDelay } from "@muster/agent/inference/backoff";
import { addTally, emptyTally, quantile } from "@muster/agent/inference/latency";
import type { Observation } from "@muster/agent/runner/infer";
import { Metrics } from "@muster/agent/runner/metrics";
import fc from "fast-check";

const edges = [1, 2, 4];
const bins = { latency: edges, confidence: [0.5, 0.9] };
/** One computed row. */
const row = (latencyUs: number, ok = true, score: number | null = null, fallback = false): Observation =>
  ({
    call: {},
    inferred: {
      latencyUs,
      cpuUs: 400,
      verdicts: [{ ok, top: score === null ? null : { index: 0, score } }],
      by: { fallback },
    },
    at: 0,
  }) as unknown as Observation;

describe("quantiles of a histogram", () => {
  const cases: [string, number[], number, number | null][] = [
    ["nothing counted", [0, 0, 0, 0], 0.95, null],
    ["the first bin begins at 0", [10, 0, 0, 0], 0.5, 0.5],
    ["the middle of a bin", [0, 10, 0, 0], 0.5, 1.5],
    ["95 % of one bin", [0, 0, 100, 0], 0.95, 3.9],
    ["over two bins", [50, 0, 50, 0], 0.75, 3],
    ["at the border", [50, 50, 0, 0], 0.5, 1],
    ["the open bin counts as its lower edge", [0, 0, 0, 7], 0.95, 4],
    ["the least", [0, 0, 10, 0], 0, 2],
    ["the most", [0, 10, 0, 0], 1, 2],
  ];
  for (const [what, counts, q, expected] of cases)
    test(what, () => {
      assert.equal(quantile({ edges, counts }, q), expected);
    });

  const counts = fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });

  test("a greater share never gives a smaller value", () => {
    fc.assert(
      fc.property(counts, share, share, (filled, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        return (
          (quantile({ edges, counts: filled }, low) ?? 0) <= (quantile({ edges, counts: filled }, high) ?? 0)
        );
      }),
    );
  });

  test("the estimate is within the bin of the true value", () => {
    const latencies = fc.array(fc.double({ min: 0, max: 4, maxExcluded: true, noNaN: true }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(latencies, share, (values, q) => {
        const metrics = new Metrics(bins);
        for (const value of values) metrics.observe(row(value * 1000));
        const sorted = values.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(Math.ceil(q * sorted.length) - 1, 0)]!;
        const bin = edges.findIndex((edge) => exact < edge);
        const estimate = quantile(metrics.take().latency, q)!;
        return estimate >= (edges[bin - 1] ?? 0) - 1e-9 && estimate <= edges[bin]! + 1e-9;
      }),
    );
  });
});

describe("counters", () => {
  test("a value on an edge belongs to the bin above", () => {
    const metrics = new Metrics(bins);
    for (const us of [999, 1000, 1999, 2000, 4000, 9_000_000]) metrics.observe(row(us));
    assert.deepEqual(metrics.take().latency.counts, [1, 2, 1, 2]);
  });

  test("taking begins anew", () => {
    const metrics = new Metrics(bins);
    metrics.observe(row(500, false, 0.95, true));
    assert.deepEqual(metrics.take(), {
      inferences: 1,
      failures: 1,
      fallbacks: 1,
      degraded: 0,
      refused: 0,
      cpuMs: 0,
      latency: { edges, counts: [1, 0, 0, 0] },
      confidence: { edges: bins.confidence, counts: [0, 0, 1] },
    });
    assert.deepEqual(metrics.take(), emptyTally(bins));
  });

  test("adding in parts is counting at once", () => {
    const events = fc.array(fc.tuple(fc.nat(5000), fc.boolean(), fc.boolean()));
    fc.assert(
      fc.property(events, (all) => {
        const whole = new Metrics(bins);
        const parts = [new Metrics(bins), new Metrics(bins)] as const;
        for (const [us, ok, first] of all) {
          whole.observe(row(us, ok));
          parts[first ? 0 : 1].observe(row(us, ok));
        }
        const { cpuMs: _, ...sum } = addTally(parts[0].take(), parts[1].take());
        const { cpuMs: __, ...counted } = whole.take();
        assert.deepEqual(sum, counted);
      }),
    );
  });
});

test("the wait before a restart doubles up to the longest", () => {
  const waits = [0, 1, 2, 3, 7, 8, 1000].map((attempt) => restartDelay(attempt, 0.2, 30));
  assert.deepEqual(waits, [0.2, 0.4, 0.8, 1.6, 25.6, 30, 30]);
});
