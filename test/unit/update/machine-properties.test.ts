import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyJournal, type JournalState, sameRelease } from "@muster/agent/update/journal-state";
import { effectOf, type JournalEvent, transition } from "@muster/agent/update/machine";
import type { UpdateBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import fc from "fast-check";

const limits = { maxRestarts: 5, maxTries: 5, stableMs: 600_000 };
const NOT_AFTER = 1_000_000;
const releases = ["a", "b", "c"].map(
  (letter): ReleaseRef => ({
    name: "eyes",
    version: letter,
    sequence: 1,
    digest: `sha256:${letter.repeat(64)}`,
  }),
);

/** One thing that happens to the device: an effect ends in some way, the power goes, a directive comes. */
type Happening = { what: "step"; luck: number } | { what: "crash" } | { what: "order"; release: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("step" as const), luck: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.constant({ what: "crash" as const }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("order" as const), release: fc.nat(3) }) },
);

class Device {
  state: JournalState;
  /** What the inference port serves; nothing after a crash. */
  serving: ReleaseRef | null = null;
  readonly told: UpdateBody[] = [];
  readonly passed = new Set<string | undefined>();
  restoreFailed = false;
  generation = 0;

  constructor(committed: ReleaseRef | null) {
    this.state = { ...emptyJournal, committed, active: committed };
    this.serving = committed;
    this.passed.add(committed?.digest);
    this.passed.add(undefined);
  }

  apply(event: JournalEvent): void {
    const step = transition(this.state, event, { now: 10, limits });
    this.state = JSON.parse(JSON.stringify(step.state)) as JournalState;
    this.told.push(...step.records);
    this.check();
  }

  check(): void {
    const { active, committed, attempt } = this.state;
    const whole = sameRelease(active, committed) || (attempt && sameRelease(active, attempt.order.release));
    assert.ok(whole, "the pointer names a release that is neither committed nor on its way");
    if (!attempt || attempt.phase === "rolling-back") assert.ok(sameRelease(active, committed));
    assert.ok(this.passed.has(committed?.digest), "committed without probation");
    if (attempt) assert.ok(attempt.restarts <= limits.maxRestarts + 1 || attempt.phase === "rolling-back");
  }

  order(release: ReleaseRef | null): void {
    this.generation += 1;
    const { active } = this.state;
    this.apply({
      type: "ordered",
      order: { generation: this.generation, rollout: null, release, notAfter: NOT_AFTER, shadow: null },
      healthy: sameRelease(this.serving, active),
    });
  }

  crash(): void {
    this.serving = null;
    this.apply({ type: "started" });
  }

  /** `luck` 0 to 3 fails in some way, 4 stops half-way, more succeeds. */
  step(luck: number): void {
    const kind = (["final", "retry", "refetch", "final"] as const)[luck];
    const failed: JournalEvent | undefined = kind && {
      type: "failed",
      kind,
      failure: { code: "internal.unexpected", message: "It failed." },
    };
    const effect = effectOf(this.state);
    const target = this.state.attempt?.order.release ?? null;
    switch (effect) {
      case "keep":
        if (!failed) this.serving = this.state.active;
        return;
      case "activate":
        if (failed && luck === 0) return void this.apply(failed);
        this.apply({ type: "switched" });
        if (luck === 4) return;
        if (failed) return void this.apply(failed);
        this.serving = target;
        return void this.apply({ type: "served" });
      case "watch":
        if (failed) return void this.apply(failed);
        if (!sameRelease(this.serving, target)) this.serving = target;
        if (luck === 4) return;
        this.passed.add(target?.digest);
        return void this.apply({ type: "passed" });
      case "restore":
        if (failed) {
          this.restoreFailed = true;
          return void this.apply(failed);
        }
        this.serving = this.state.active;
        return void this.apply({ type: "restored" });
      default: {
        const success = {
          resolve: "resolved",
          fetch: "fetched",
          stage: "staged",
          admit: "admitted",
        } as const;
        return void this.apply(failed ?? { type: success[effect] });
      }
    }
  }

  happen(happening: Happening): void {
    if (happening.what === "crash") this.crash();
    else if (happening.what === "order") this.order(releases[happening.release] ?? null);
    else this.step(happening.luck);
  }

  settle(luck: number): void {
    for (let steps = 0; this.state.attempt && steps < 100; steps++) this.step(luck);
    this.step(9);
  }
}

const history = fc.tuple(fc.nat(3), fc.array(happening, { maxLength: 80 }));

const live = ([start, happenings]: [number, Happening[]]): Device => {
  const device = new Device(releases[start] ?? null);
  for (const each of happenings) device.happen(each);
  return device;
};

test("machine: whatever happens, when luck returns the device ends whole and serves what the pointer says", () => {
  fc.assert(
    fc.property(history, (events) => {
      const device = live(events);
      device.settle(9);
      const { active, committed, attempt } = device.state;
      assert.equal(attempt, null);
      assert.ok(sameRelease(active, committed) && sameRelease(device.serving, active));
    }),
    { numRuns: 2000 },
  );
});

test("machine: a release that always fails leaves the device on what was committed", () => {
  fc.assert(
    fc.property(history, (events) => {
      const device = live(events);
      device.settle(9);
      const before = device.state.committed;
      const other = releases.find((release) => !sameRelease(release, before)) ?? null;
      device.order(other);
      for (let steps = 0; effectOf(device.state) !== "restore" && device.state.attempt && steps < 50; steps++)
        device.step(["activate", "watch"].includes(effectOf(device.state)) ? 3 : 9);
      device.settle(9);
      assert.ok(sameRelease(device.state.committed, before) && sameRelease(device.serving, before));
      assert.equal(device.state.lastResult?.outcome, "failed-rolled-back");
    }),
    { numRuns: 500 },
  );
});

test("machine: each directive ends once, and is stuck only when going back failed too", () => {
  fc.assert(
    fc.property(history, (events) => {
      const device = live(events);
      device.settle(9);
      const ends = new Map<number, string[]>();
      for (const { generation, outcome } of device.told)
        if (outcome) ends.set(generation, [...(ends.get(generation) ?? []), outcome]);
      assert.equal(ends.size, device.generation);
      for (const [, outcomes] of ends) {
        const [first, ...rest] = outcomes;
        if (first !== "failed-stuck") assert.deepEqual(rest, []);
      }
      const crashes = events[1].filter(({ what }) => what === "crash").length;
      const stuck = device.told.some(({ outcome }) => outcome === "failed-stuck");
      if (stuck) assert.ok(device.restoreFailed || crashes > limits.maxRestarts);
    }),
    { numRuns: 2000 },
  );
});

test("machine: every event may come twice", () => {
  fc.assert(
    fc.property(history, fc.nat(9), (events, luck) => {
      const { state } = live(events);
      const types = ["resolved", "fetched", "admitted", "switched", "passed", "restored"] as const;
      const type = types[luck % types.length] ?? "passed";
      const once = transition(state, { type }, { now: 10, limits }).state;
      if (once.attempt?.phase === state.attempt?.phase && type !== "switched") assert.deepEqual(once, state);
      const context = { now: 10, limits };
      if (once.attempt) assert.deepEqual(transition(once, { type }, context).state, once);
    }),
  );
});
