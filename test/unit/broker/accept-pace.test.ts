import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AcceptPace } from "@muster/control-plane/broker/accept-pace";
import fc from "fast-check";

describe("accept pace", () => {
  it("lets a burst of a second through, spreads the next ones and turns the rest away", () => {
    const pace = new AcceptPace(100, 500);
    const waits = Array.from({ length: 200 }, () => pace.admit(10_000));
    assert.deepEqual(
      waits.slice(0, 101).filter((wait) => wait !== 0),
      [],
    );
    assert.equal(waits[101], 10);
    assert.equal(waits[150], 500);
    assert.deepEqual(waits.slice(151), Array(49).fill(undefined));
    assert.equal(pace.admit(20_000), 0);
  });

  it("never admits more than the rate and a second's burst", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 300 }),
        (perSecond, steps) => {
          const pace = new AcceptPace(perSecond, 5_000);
          let now = 100_000;
          const starts: number[] = [];
          for (const step of steps) {
            now += step;
            const wait = pace.admit(now);
            if (wait !== undefined) starts.push(now + wait);
          }
          starts.sort((a, b) => a - b);
          starts.forEach((start, index) => {
            const inSecond = starts.filter((other) => other >= start && other < start + 1000).length;
            assert.ok(inSecond <= 2 * perSecond + 2, `${inSecond} within a second from ${index}`);
          });
        },
      ),
    );
  });
});
