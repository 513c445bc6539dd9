import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Notices } from "@muster/agent/outbox/notices";

describe("notices", () => {
  const at = (clock: { now: number }) => {
    const told: { code: string; message: string }[] = [];
    const notices = new Notices(
      (records) => {
        for (const { body } of records) told.push(body as (typeof told)[number]);
      },
      60_000,
      () => clock.now,
    );
    return { told, notices };
  };

  it("tell a code once per interval and then how many were left out", () => {
    const clock = { now: 1_000_000 };
    const { told, notices } = at(clock);
    for (let i = 0; i < 100; i += 1) notices.note("wire.malformed", "bad");
    notices.note("wire.oversized", "big");
    assert.equal(told.length, 2);
    clock.now += 60_000;
    notices.note("wire.malformed", "bad again");
    assert.deepEqual(told[2], {
      code: "wire.malformed",
      message: "bad again (and 99 more since the last one)",
    });
  });

  it("are not silenced by a clock that is set back", () => {
    const clock = { now: 1_000_000 };
    const { told, notices } = at(clock);
    notices.note("wire.malformed", "one");
    clock.now = 1000;
    notices.note("wire.malformed", "two");
    assert.equal(told.length, 2);
  });
});
