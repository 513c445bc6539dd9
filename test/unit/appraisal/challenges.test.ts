import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Challenges } from "@muster/control-plane/attestation/challenge/challenges";
import { Schedule } from "@muster/control-plane/attestation/challenge/schedule";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";

const pcrs = { bank: "sha256" as const, indices: [0, 7] };
const SESSION = "session-0001";

const refused = (work: () => unknown, code: ErrorCode): void =>
  assert.throws(work, (error) => isMusterError(error, code));

test("a nonce is good for one answer, of its device, in its session, in time", () => {
  const challenges = new Challenges(randomBytes);
  const nonce = challenges.open("a", SESSION, pcrs, 100);
  assert.match(nonce, /^[0-9a-f]{64}$/);
  refused(
    () => challenges.answer("b", { nonce, session: SESSION }, SESSION, 50),
    "attestation.nonce-unknown",
  );
  assert.deepEqual(challenges.answer("a", { nonce, session: SESSION }, SESSION, 100), pcrs);
  refused(() => challenges.answer("a", { nonce, session: SESSION }, SESSION, 100), "attestation.nonce-used");

  const late = challenges.open("a", SESSION, pcrs, 100);
  refused(
    () => challenges.answer("a", { nonce: late, session: SESSION }, SESSION, 101),
    "attestation.nonce-expired",
  );
  refused(
    () => challenges.answer("a", { nonce: late, session: SESSION }, SESSION, 50),
    "attestation.nonce-used",
  );

  const other = challenges.open("a", SESSION, pcrs, 100);
  refused(
    () => challenges.answer("a", { nonce: other, session: "session-0002" }, SESSION, 50),
    "attestation.nonce-foreign",
  );
  const former = challenges.open("a", SESSION, pcrs, 100);
  refused(
    () => challenges.answer("a", { nonce: former, session: SESSION }, "session-0002", 50),
    "attestation.nonce-foreign",
  );

  const replaced = challenges.open("a", SESSION, pcrs, 100);
  const newest = challenges.open("a", SESSION, pcrs, 100);
  refused(
    () => challenges.answer("a", { nonce: replaced, session: SESSION }, SESSION, 50),
    "attestation.nonce-expired",
  );
  assert.ok(challenges.answer("a", { nonce: newest, session: SESSION }, SESSION, 50));
});

test("a fleet of 10,000 that comes back at once is asked at a steady pace, each once", () => {
  const schedule = new Schedule(Math.random);
  const fleet = Array.from({ length: 10_000 }, (_, index) => `device-${index}`);
  for (const device of fleet) schedule.soon(device, 0, 500);
  const asked = new Map<string, number>();
  let now = 0;
  while (asked.size < fleet.length) {
    now += 250;
    const due = schedule.due(now, 12);
    assert.ok(due.length <= 12);
    for (const device of due) {
      assert.ok(!asked.has(device), "one is not asked twice before the others");
      asked.set(device, now);
      schedule.asked(device, now, 3_600_000);
      schedule.answered(device, now, 3_600_000);
    }
  }
  assert.ok(now >= (10_000 / 12) * 250 - 500);
  assert.deepEqual(schedule.due(now, 10), [], "an hour has not passed");
  assert.equal(schedule.due(now + 3_960_000, 20_000).length, fleet.length);
});

test("who does not answer is asked again soon, and then as everybody else", () => {
  const schedule = new Schedule(() => 0.5);
  let now = 0;
  schedule.soon("a", now, 0);
  const waits: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const before = now;
    while (schedule.due(now, 1).length === 0) now += 1_000;
    waits.push(now - before);
    schedule.asked("a", now, 3_600_000);
  }
  assert.deepEqual(waits, [0, 150_000, 150_000, 150_000, 3_600_000]);
  assert.equal(schedule.unanswered("a"), 5);
  schedule.answered("a", now, 3_600_000);
  assert.equal(schedule.unanswered("a"), 0);
  schedule.forget("a");
  assert.deepEqual(schedule.due(Number.MAX_SAFE_INTEGER, 1), []);
});
