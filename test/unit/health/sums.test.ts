import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addAgent, addInference } from "@muster/control-plane/health/beat-delta";
import { figuresOf } from "@muster/control-plane/health/figures";
import {
  AT,
  CONFIDENCE_AT,
  LATENCY_AT,
  mergeSums,
  noSums,
  SUMS_LENGTH,
  type Sums,
  VITALS_AT,
} from "@muster/control-plane/health/sums";
import { decodeSums, encodeSums } from "@muster/control-plane/health/sums-codec";
import { isMusterError } from "@muster/shared/errors";
import { LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import fc from "fast-check";
import { heartbeat, inference } from "../../support/fleet/messages.ts";

const sumsOf = (...beats: ReturnType<typeof heartbeat>[]): Sums => {
  const sums = noSums();
  for (const beat of beats) {
    addAgent(sums, beat);
    for (const entry of beat.inference) addInference(sums, entry, null);
  }
  return sums;
};

const health = (freeDiskMiB: number, temperatureC: number | null = null) => ({
  ...heartbeat("s", 1).health,
  freeDiskMiB,
  temperatureC,
});

const anyBeat = fc
  .record({
    disk: fc.nat(1e6),
    load: fc.double({ min: 0, max: 64, noNaN: true }),
    temperature: fc.option(fc.double({ min: -60, max: 150, noNaN: true })),
    operationalMs: fc.nat(3e5),
    failures: fc.nat(50),
    bin: fc.nat(LATENCY_EDGES_MS.length),
    inferences: fc.nat(1e6),
    crashes: fc.nat(3),
  })
  .map(({ disk, load, temperature, operationalMs, failures, bin, inferences, crashes }) => {
    const latency = {
      edges: [...LATENCY_EDGES_MS],
      counts: LATENCY_EDGES_MS.map((_, index) => (index === bin ? inferences : 0)).concat(0),
    };
    return heartbeat("session-1", 1, {
      health: { ...health(disk, temperature), loadPerCore: load },
      agent: { operationalMs, connectedMs: operationalMs, syncSucceeded: 1, syncFailed: 0 },
      inference: [inference({ inferences, failures, crashes, latency })],
    });
  });

describe("sums of heartbeats", () => {
  test("what is added in parts is what is added at once", () => {
    fc.assert(
      fc.property(fc.array(anyBeat), fc.array(anyBeat), (first, second) => {
        const parts = sumsOf(...first);
        mergeSums(parts, sumsOf(...second));
        const whole = sumsOf(...first, ...second);
        for (const [place, value] of whole.entries())
          assert.ok(Math.abs(parts[place]! - value) < 1e-6, `place ${place}`);
      }),
    );
  });

  test("energy counts for the inferences it is of, and what was modelled is told apart", () => {
    const sums = noSums();
    addInference(
      sums,
      inference({ inferences: 100, energyMj: 5_000, cpuMs: 400, refused: 25, degraded: 50 }),
      "measured",
    );
    addInference(
      sums,
      inference({ inferences: 300, energyMj: null, cpuMs: 1_200, refused: 0, degraded: 0 }),
      null,
    );
    addInference(
      sums,
      inference({ inferences: 100, energyMj: 15_000, cpuMs: 400, refused: 0, degraded: 900 }),
      "modelled",
    );
    const figures = figuresOf(decodeSums(encodeSums(sums)));
    assert.deepEqual(
      [sums[AT.energyMj], sums[AT.energyInferences], sums[AT.modelledMj]],
      [20_000, 200, 15_000],
    );
    assert.equal(figures.joulesPerInference, 0.1);
    assert.equal(figures.cpuMsPerInference, 4);
    assert.equal(figures.degradedPercent, 30, "a share over 100 % is none");
    assert.equal(figures.refusedPercent, (100 * 25) / 525);
  });

  test("the draw of a box is kept as its other vitals are", () => {
    const sums = noSums();
    for (const watts of [4.25, 7.75, null])
      addAgent(
        sums,
        heartbeat("s", 1, {
          health: { ...health(1), power: { heat: "normal", draw: "normal", watts, energy: null } },
        }),
      );
    addAgent(sums, heartbeat("s", 2, { health: health(1) }));
    assert.deepEqual(figuresOf(decodeSums(encodeSums(sums))).vitals.watts, {
      mean: 6,
      min: 4.25,
      max: 7.75,
      last: 7.75,
    });
  });

  test("whatever a device makes up, they can be stored and read back", () => {
    const anything = fc.oneof(
      fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e300, -1e300),
      fc.maxSafeInteger(),
    );
    fc.assert(
      fc.property(fc.array(anything, { minLength: SUMS_LENGTH, maxLength: SUMS_LENGTH }), (values) => {
        for (const value of decodeSums(encodeSums(Float64Array.from(values))))
          assert.ok(Math.abs(value) <= Number.MAX_SAFE_INTEGER);
      }),
    );
  });

  test("no share is over 100 %, whoever counted", () => {
    const agent = { operationalMs: 10, connectedMs: 99, syncSucceeded: 0, syncFailed: 0 };
    const shadow = { compared: 1, agreed: 5 };
    const entries = [inference({ inferences: 2, failures: 7, fallbacks: 9, shadow })];
    const figures = figuresOf(sumsOf(heartbeat("s", 1, { agent, inference: entries })));
    const { connectedPercent, errorPercent, fallbackPercent, shadowAgreementPercent } = figures;
    assert.deepEqual(
      [connectedPercent, errorPercent, fallbackPercent, shadowAgreementPercent],
      [100, 100, 100, 100],
    );
  });

  test("stored and read back they are the same", () => {
    fc.assert(
      fc.property(fc.array(anyBeat), (beats) => {
        const sums = sumsOf(...beats);
        const read = decodeSums(encodeSums(sums));
        for (const [place, value] of sums.entries())
          assert.ok(Math.abs(read[place]! - value) < 1e-6, `place ${place}`);
      }),
    );
  });

  test("large and negative numbers keep every digit", () => {
    const sums = noSums();
    sums[AT.inferences] = 4_503_599_627_370_495;
    sums[VITALS_AT + 5 * 5 + 4] = -40.5;
    assert.deepEqual(decodeSums(encodeSums(sums)), sums);
    assert.equal(encodeSums(noSums()).length, 1);
  });

  test("bytes that are none of ours are told", () => {
    for (const bytes of [[], [9], [1, 3], [1, 3, 0x80]])
      assert.throws(
        () => decodeSums(Uint8Array.from(bytes)),
        (error) => isMusterError(error, "storage.broken"),
        String(bytes),
      );
    assert.deepEqual(decodeSums(Uint8Array.from([2, SUMS_LENGTH, 2])), noSums());
  });

  test("vitals keep least, greatest and newest; a missing sensor counts nothing", () => {
    const { vitals } = figuresOf(
      sumsOf(
        heartbeat("s", 1, { health: health(500, 40) }),
        heartbeat("s", 2, { health: health(300) }),
        heartbeat("s", 3, { health: health(400, 60) }),
      ),
    );
    assert.deepEqual(vitals.freeDiskMiB, { mean: 400, min: 300, max: 500, last: 400 });
    assert.deepEqual(vitals.temperatureC, { mean: 50, min: 40, max: 60, last: 60 });
  });

  test("bins of other edges go where their lower edge lies", () => {
    const latency = { edges: [1, 10], counts: [4, 5, 6] };
    const sums = sumsOf(heartbeat("s", 1, { inference: [inference({ inferences: 15, latency })] }));
    const bins = sums.slice(LATENCY_AT, CONFIDENCE_AT);
    const at = (value: number) => LATENCY_EDGES_MS.findIndex((edge) => value < edge);
    assert.deepEqual([bins[0], bins[at(1)], bins[at(10)]], [4, 5, 6]);
    assert.equal(
      bins.reduce((sum, count) => sum + count, 0),
      15,
    );
  });
});

describe("figures", () => {
  test("of nothing they are unknown, not 0 or 100 %", () => {
    const figures = figuresOf(noSums());
    assert.deepEqual(
      [figures.crashFreeServingPercent, figures.syncSuccessPercent, figures.latencyMs, figures.errorPercent],
      [null, null, null, null],
    );
  });

  test("are shares of sums", () => {
    const sums = sumsOf(
      heartbeat("s", 1, {
        agent: { operationalMs: 3_600_000, connectedMs: 2_700_000, syncSucceeded: 9, syncFailed: 1 },
        inference: [inference({ servingMs: 1_800_000, inferences: 200, failures: 5, fallbacks: 20 })],
      }),
    );
    sums[AT.servingVoidMs] = 900_000;
    const figures = figuresOf(sums);
    assert.equal(figures.operationalHours, 1);
    assert.equal(figures.connectedPercent, 75);
    assert.equal(figures.syncSuccessPercent, 90);
    assert.equal(figures.crashFreeServingPercent, 50);
    assert.equal(figures.crashFreeOperationalPercent, 100);
    assert.equal(figures.errorPercent, 2.5);
    assert.equal(figures.fallbackPercent, 10);
    assert.ok(figures.latencyMs!.p50 > 0.63 && figures.latencyMs!.p99 < 1);
    assert.ok(figures.confidence!.p50 > 0.95 && figures.confidence!.p50 < 0.99);
  });
});
