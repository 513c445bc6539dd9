import assert from "node:assert/strict";
import { test } from "node:test";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import fc from "fast-check";
import { Rig, release } from "./rig.ts";

const MINUTE = 60_000;

test("a session begins with birth and state, and goes on with heartbeats that add up", () => {
  const rig = new Rig();
  rig.pass(5 * MINUTE);
  assert.deepEqual(
    rig.heard.slice(0, 2).map(({ channel }) => channel),
    ["birth", "state"],
  );
  const birth = rig.birth();
  assert.equal(birth?.state.running?.digest, release(1).digest);
  assert.equal(birth?.state.runner, "ready");
  const beats = rig.beats();
  assert.deepEqual(
    beats.map(({ seq }) => seq),
    beats.map((_, index) => index + 1),
  );
  assert.ok(beats.every(({ session }) => session === birth?.session));
  const serving = beats.reduce((sum, { inference }) => sum + (inference[0]?.servingMs ?? 0), 0);
  const operating = beats.reduce((sum, { agent }) => sum + agent.operationalMs, 0);
  assert.equal(operating, (beats.at(-1)?.at ?? 0) - rig.bornAt);
  assert.ok(Math.abs(serving - operating) <= beats.length);
  for (const { inference } of beats)
    for (const { inferences, failures, latency, confidence } of inference) {
      const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
      assert.equal(sum(latency.counts), inferences - failures);
      assert.equal(sum(confidence.counts), inferences - failures);
    }
});

test("the same seed lives the same life, another one does not", () => {
  const live = (seed: number) => {
    const rig = new Rig({}, seed);
    rig.pass(3 * MINUTE);
    rig.lose();
    rig.direct(2, 1);
    rig.pass(3 * MINUTE);
    return JSON.stringify(rig.effects);
  };
  assert.equal(live(4), live(4));
  assert.notEqual(live(4), live(5));
});

test("a directive is walked through every phase and proven", () => {
  const rig = new Rig();
  rig.pass(MINUTE);
  rig.direct(2, 1);
  rig.pass(MINUTE);
  assert.deepEqual(rig.journal(), [
    "accepted",
    "fetching",
    "fetched",
    "staged",
    "activating",
    "probation",
    "committed succeeded",
  ]);
  const state = rig.state();
  assert.equal(state?.running?.digest, release(2).digest);
  assert.equal(state?.generation, 1);
  assert.equal(state?.lastResult?.outcome, "succeeded");
  assert.deepEqual(
    state?.components.map(({ version }) => version),
    ["1.2.0"],
  );
  const before = rig.journal().length;
  rig.direct(2, 1);
  rig.pass(MINUTE);
  assert.equal(rig.journal().length, before, "the same directive again changes nothing");
});

test("directives that are not for this device, not signed or not new are refused", () => {
  const stranger = signingKeyFrom(Buffer.alloc(32, 8));
  const cases = [
    { code: "directive.wrong-audience", more: { device: `d${"b".repeat(20)}` } },
    { code: "directive.expired", more: { notAfter: 1 } },
    { code: "directive.below-floor", more: { floor: 9 } },
    { code: "directive.signature-invalid", more: {}, key: stranger },
  ];
  for (const { code, more, key } of cases) {
    const rig = new Rig();
    rig.pass(MINUTE);
    rig.direct(2, 5, more, key);
    rig.pass(MINUTE);
    assert.equal(rig.state()?.refused?.failure.code, code);
    assert.equal(rig.state()?.running?.digest, release(1).digest);
  }
  const rig = new Rig();
  rig.pass(MINUTE);
  rig.direct(2, 5);
  rig.pass(MINUTE);
  rig.direct(1, 4);
  rig.pass(MINUTE);
  assert.equal(rig.state()?.refused?.failure.code, "directive.replayed");
});

test("a release that does harm at once is taken back by the device itself", () => {
  const cases = [
    { kind: "stage", severity: 1, end: "staged", outcome: "failed-unchanged", code: "model.golden-mismatch" },
    {
      kind: "crashes",
      severity: 36_000,
      end: "rolled-back",
      outcome: "failed-rolled-back",
      code: "probation.crashed",
    },
    {
      kind: "errors",
      severity: 0.9,
      end: "rolled-back",
      outcome: "failed-rolled-back",
      code: "probation.errors",
    },
    {
      kind: "slower",
      severity: 500,
      end: "rolled-back",
      outcome: "failed-rolled-back",
      code: "probation.latency",
    },
    { kind: "dies", severity: 1, end: "rolled-back", outcome: "failed-rolled-back", code: "runner.crashed" },
  ] as const;
  for (const { kind, severity, outcome, code } of cases) {
    const rig = new Rig();
    rig.faults.push({ release: "detector@1.2.0", kind, severity, afterMs: 0, affects: () => true });
    rig.pass(MINUTE);
    rig.direct(2, 1);
    rig.pass(2 * MINUTE);
    const state = rig.state();
    assert.equal(state?.lastResult?.outcome, outcome, kind);
    assert.equal(state?.lastResult?.failure?.code, code, kind);
    assert.equal(state?.running?.digest, release(1).digest, kind);
    assert.equal(rig.model.visited.has(release(2).digest), kind !== "stage", kind);
  }
});

test("a release that fails later is committed first, and a newer directive brings the old one back", () => {
  const rig = new Rig();
  rig.faults.push({
    release: "detector@1.2.0",
    kind: "dies",
    severity: 1,
    afterMs: 30_000,
    affects: () => true,
  });
  rig.pass(MINUTE);
  rig.direct(2, 1);
  rig.pass(2 * MINUTE);
  assert.equal(rig.state()?.lastResult?.outcome, "succeeded");
  assert.equal(rig.state()?.runner, "failed");
  assert.equal(rig.state()?.running, null);
  rig.direct(1, 2);
  rig.pass(MINUTE);
  assert.equal(rig.state()?.runner, "ready");
  assert.equal(rig.state()?.running?.digest, release(1).digest);
});

test("a newer directive takes the place of the update under way", () => {
  const rig = new Rig();
  rig.pass(MINUTE);
  rig.direct(2, 1);
  rig.pass(100);
  rig.direct(3, 2);
  rig.pass(2 * MINUTE);
  assert.ok(rig.journal().some((told) => told.endsWith("superseded")));
  assert.equal(rig.state()?.running?.digest, release(3).digest);
});

test("without an uplink a device works on, and tells everything when it is back", () => {
  const rig = new Rig();
  rig.pass(MINUTE);
  rig.direct(2, 1);
  rig.do(rig.model.set({ uplink: false }, rig.now));
  const heard = rig.heard.length;
  rig.pass(2 * MINUTE);
  assert.equal(rig.heard.length, heard);
  rig.do(rig.model.set({ uplink: true }, rig.now));
  rig.pass(20 * MINUTE);
  assert.equal(rig.state()?.running?.digest, release(2).digest);
  assert.ok((rig.beats().at(-1)?.agent.syncFailed ?? -1) >= 0);
});

type Happening =
  | { do: "pass"; ms: number }
  | { do: "lose" }
  | { do: "uplink"; up: boolean }
  | { do: "ack"; share: number };

/** Sends what there is until all of it is acknowledged. */
function drain(rig: Rig): void {
  rig.do(rig.model.set({ uplink: true }, rig.now));
  rig.model.quiet();
  for (let round = 0; round < 100 && rig.model.outbox.waiting > 0; round += 1) {
    rig.pass(MINUTE);
    rig.acknowledge(rig.sent().at(-1)?.seq ?? 0);
  }
}

test("whatever happens to its connections, a device sends its records in order and without holes", () => {
  const happening = fc.oneof(
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 8_000 }) }),
    fc.record({ do: fc.constant("lose" as const) }),
    fc.record({ do: fc.constant("uplink" as const), up: fc.boolean() }),
    fc.record({ do: fc.constant("ack" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  const live = (happenings: readonly Happening[], seed: number): void => {
    // Often enough that records are made while others are on their way and the device is between two sessions.
    const reconnect = { minMs: 500, maxMs: 4_000, startDelayMs: 1_000 };
    const rig = new Rig({ telemetryMs: 1_000, resultsPerTelemetry: 1, reconnect }, seed);
    for (const each of happenings) {
      if (each.do === "pass") rig.pass(each.ms);
      else if (each.do === "lose") rig.lose();
      else if (each.do === "uplink") rig.do(rig.model.set({ uplink: each.up }, rig.now));
      else rig.acknowledge(Math.floor(each.share * (rig.sent().at(-1)?.seq ?? 0)));
    }
    drain(rig);
    // A control plane takes a later record as proof that the earlier ones were evicted: it would not ask for them.
    let expected = 1;
    for (const { seq } of rig.sent()) {
      assert.ok(seq <= expected, `record ${seq} came before ${expected}`);
      if (seq === expected) expected += 1;
    }
    assert.equal(rig.model.outbox.waiting, 0);
    assert.equal(rig.model.outbox.lastSeq, expected - 1);
  };
  const seeds = fc.integer({ min: 1, max: 1000 });
  fc.assert(fc.property(fc.array(happening, { maxLength: 40 }), seeds, live), { numRuns: 100 });
});

test("a candidate is in the shadow for its time, and serves then", () => {
  const rig = new Rig({ heartbeatMs: 1_000 });
  rig.pass(120_000);
  const shadow = {
    seconds: 300,
    samplePercent: 10,
    cpuPercent: 25,
    minCompared: 100,
    minAgreementPercent: 95,
  };
  rig.direct(2, 1, { shadow });
  rig.pass(280_000);
  assert.equal(rig.model.reported().update?.phase, "staged");
  assert.equal(rig.model.reported().running?.version, "1.1.0");
  rig.pass(120_000);
  assert.equal(rig.model.reported().running?.version, "1.2.0");
});
