import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Call, Inferred } from "@muster/agent/runner/infer";
import { Metrics } from "@muster/agent/runner/metrics";
import { recorded } from "@muster/agent/runner/recorded";
import { ResultBuffer } from "@muster/agent/runner/results";
import { mediaParameters } from "@muster/agent/runner/routes/media";
import { CpuMeter } from "@muster/agent/runner/schedule/cpu-meter";
import { encodeJsonData } from "@muster/agent/runner/tensors/json";
import { isMusterError } from "@muster/shared/errors";

const BINS = { latency: [1, 2], confidence: [0.5] };

const answered = (more: Partial<Inferred> = {}): Inferred =>
  ({
    values: [],
    verdicts: [{ ok: true, top: { index: 0, score: 0.9 } }],
    latencyUs: 500,
    queueUs: 0,
    cpuUs: 0,
    batchRows: 1,
    by: { name: "m", version: "1", variant: "v", digest: "sha256:0", provider: "cpu", fallback: false },
    ...more,
  }) as unknown as Inferred;

const call = { request: { id: "a", durable: false }, tier: "standard" } as unknown as Call;

test("an onlooker with a fault costs nobody an answer, and the others look on", async (context) => {
  context.mock.method(console, "error", () => {});
  const seen: unknown[] = [];
  const stored: unknown[] = [];
  const broken = {
    observe: () => {
      throw new RangeError("broken");
    },
  };
  const infer = recorded(
    async () => answered(),
    { add: (records) => void stored.push(...records), store: async () => {} },
    [broken, { observe: ({ inferred }) => void seen.push(inferred) }],
    () => {},
  );
  assert.equal((await infer(call)).error, undefined);
  assert.deepEqual([seen.length, stored.length], [1, 1]);
});

describe("counters", () => {
  test("what nobody computed says nothing about speed and confidence", () => {
    const metrics = new Metrics(BINS);
    for (const rung of ["cache", "default", "variant"] as const)
      metrics.observe({ call, inferred: answered({ degraded: { rung, reason: "heat" } }), at: 0 });
    const { inferences, degraded, latency, confidence } = metrics.take();
    assert.deepEqual([inferences, degraded], [3, 3]);
    assert.deepEqual(
      [latency.counts, confidence.counts],
      [
        [1, 0, 0],
        [0, 1],
      ],
    );
  });

  test("go out though no result does", async () => {
    const sent: number[] = [];
    const buffer = new ResultBuffer(10, (batch, records) => {
      sent.push(records.length);
      setImmediate(() => buffer.stored(batch, undefined));
    });
    buffer.touch();
    buffer.touch();
    await buffer.emptied();
    assert.deepEqual(sent, [0]);
    await sleep(80);
    assert.deepEqual(sent, [0]);
  });

  test("a request of very many rows is one too many for the buffer, not for the runner", () => {
    const buffer = new ResultBuffer(10, () => {});
    const record = { at: 1, body: {} } as never;
    buffer.add(new Array(300_000).fill(record));
  });
});

test("processor time is never negative, and that of a run which never began is not all since the last", () => {
  let cpuUs = 1_000_000;
  const meter = new CpuMeter({ deployment: { runtime: {} }, usage: () => ({ cpuUs, rssBytes: 0 }) } as never);
  meter.begin(0);
  cpuUs = 0;
  assert.equal(meter.end(10, 10), 0);
  meter.begin(1000);
  cpuUs = 5_000;
  assert.equal(meter.end(10, 1010), 5_000);
  cpuUs = 9_000_000;
  assert.equal(meter.end(10, 9_000), 5_000);
});

test("headers of a request that has no JSON part are held to the same rules", () => {
  const limits = { idLength: 8 };
  assert.deepEqual(mediaParameters({ "muster-durable": "true", "muster-request-id": "r" }, limits), {
    id: "r",
    parameters: { muster_durable: true },
  });
  for (const headers of [{ "muster-durable": "yes" }, { "muster-request-id": "123456789" }])
    assert.throws(
      () => mediaParameters(headers, limits),
      (error) => isMusterError(error, "inference.invalid"),
    );
});

test("an output that would become a giant text is asked for in binary", () => {
  assert.throws(
    () => encodeJsonData("y", "UINT8", new Uint8Array(2 ** 22 + 1)),
    (error) => isMusterError(error, "inference.invalid") && /binary_data/.test(error.message),
  );
});
