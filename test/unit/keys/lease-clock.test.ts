import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaseClock } from "@muster/agent/keys/lease-clock";
import fc from "fast-check";

test("a clock that is put back brings no time back", () => {
  let wall = 1_000_000;
  let uptime = 0;
  const clock = new LeaseClock({ now: () => wall, monotonic: () => uptime, floor: 0 });
  clock.learn(1_000_000);
  uptime += 5_000;
  wall = 0;
  assert.equal(clock.now(), 1_005_000);
  const restarted = new LeaseClock({ now: () => 0, monotonic: () => 0, floor: clock.floor });
  assert.equal(restarted.now(), 1_005_000, "nor does a restart");
});

test("a clock that is ahead is believed while it lasts and leaves no trace", () => {
  let wall = 9e12;
  const clock = new LeaseClock({ now: () => wall, monotonic: () => 0, floor: 1_000 });
  assert.equal(clock.now(), 9e12);
  wall = 2_000;
  assert.equal(clock.now(), 2_000);
  assert.equal(clock.floor, 1_000);
});

test("whatever the clock of the box does, the floor only grows and never passes what was signed and lived through", () => {
  const step = fc.record({
    wall: fc.nat({ max: 1e9 }),
    lived: fc.nat({ max: 10_000 }),
    signed: fc.option(fc.nat({ max: 1e6 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let wall = 0;
      let uptime = 0;
      let signed = 0;
      let before = 0;
      const clock = new LeaseClock({ now: () => wall, monotonic: () => uptime, floor: 0 });
      for (const each of steps) {
        wall = each.wall;
        uptime += each.lived;
        if (each.signed !== undefined) {
          clock.learn(each.signed);
          signed = Math.max(signed, each.signed);
        }
        assert.ok(clock.floor >= before);
        assert.ok(clock.floor <= signed + uptime);
        assert.equal(clock.now(), Math.max(wall, clock.floor));
        before = clock.floor;
      }
    }),
  );
});
