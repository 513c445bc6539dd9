import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newCrashHour, voidTime } from "@muster/control-plane/health/crash-hours";
import { isFresh, type SessionMarks, withMark } from "@muster/control-plane/health/sessions";
import fc from "fast-check";
import { heartbeat, inference, release } from "../../support/fleet/messages.ts";

const MINUTE = 60_000;
const [one, two] = [release("1.0.0", 1).digest, release("2.0.0", 2).digest];

const beat = (...entries: [release: string, minutes: number, crashes: number][]) =>
  heartbeat("session-1", 1, {
    agent: {
      operationalMs: entries.reduce((sum, [, minutes]) => sum + minutes * MINUTE, 0),
      connectedMs: 0,
      syncSucceeded: 0,
      syncFailed: 0,
    },
    inference: entries.map(([digest, minutes, crashes]) =>
      inference({ release: digest as `sha256:${string}`, servingMs: minutes * MINUTE, crashes }),
    ),
  });

describe("crash-free time", () => {
  test("of releases that a device makes up only some are told apart", () => {
    const hour = newCrashHour(0);
    const made = (number: number) => `sha256:${number.toString(16).padStart(64, "0")}`;
    let voided = 0;
    for (let number = 0; number < 500; number += 1)
      voided += voidTime(hour, beat([made(number), 1, 1])).servingMs[0]!;
    assert.ok(Object.keys(hour.serving).length <= 17);
    assert.equal(voided, 500 * MINUTE);
    assert.deepEqual(voidTime(hour, beat([made(3), 1, 0])).servingMs, [MINUTE], "the known ones as before");
  });

  test("without a crash nothing is void", () => {
    const hour = newCrashHour(0);
    assert.deepEqual(voidTime(hour, beat([one, 5, 0])), { operationalMs: 0, servingMs: [0] });
  });

  test("a crash voids the hour of the device: what was before it and what comes after", () => {
    const hour = newCrashHour(0);
    voidTime(hour, beat([one, 10, 0]));
    assert.deepEqual(voidTime(hour, beat([one, 5, 1])), {
      operationalMs: 15 * MINUTE,
      servingMs: [15 * MINUTE],
    });
    assert.deepEqual(voidTime(hour, beat([one, 5, 0])), {
      operationalMs: 5 * MINUTE,
      servingMs: [5 * MINUTE],
    });
  });

  test("a release is not blamed for the crash of another one", () => {
    const hour = newCrashHour(0);
    voidTime(hour, beat([one, 10, 0]));
    assert.deepEqual(voidTime(hour, beat([one, 5, 0], [two, 5, 2])), {
      operationalMs: 20 * MINUTE,
      servingMs: [0, 5 * MINUTE],
    });
  });

  test("never more than the time of the device is void, and nothing is taken back", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(one, two), fc.nat(30), fc.nat(2)));
    fc.assert(
      fc.property(steps, (all) => {
        const hour = newCrashHour(0);
        const time = new Map<string, number>();
        const voided = new Map<string, number>();
        const crashed = new Set<string>();
        for (const [digest, minutes, crashes] of all) {
          const { servingMs } = voidTime(hour, beat([digest, minutes, crashes]));
          assert.ok(servingMs[0]! >= 0);
          time.set(digest, (time.get(digest) ?? 0) + minutes * MINUTE);
          voided.set(digest, (voided.get(digest) ?? 0) + servingMs[0]!);
          if (crashes > 0) crashed.add(digest);
        }
        for (const [digest, ms] of time) assert.equal(voided.get(digest), crashed.has(digest) ? ms : 0);
      }),
    );
  });
});

describe("sessions of a device", () => {
  const cases: [string, SessionMarks, string, number, boolean][] = [
    ["the first heartbeat", [], "a", 1, true],
    ["the next one", [["a", 1]], "a", 2, true],
    ["one that comes again", [["a", 2]], "a", 2, false],
    ["one that comes late within its session", [["a", 3]], "a", 2, false],
    ["the first of a new session", [["a", 9]], "b", 1, true],
    [
      "a late one of the session before",
      [
        ["a", 9],
        ["b", 4],
      ],
      "a",
      10,
      true,
    ],
    [
      "a repeated one of the session before",
      [
        ["a", 9],
        ["b", 4],
      ],
      "a",
      9,
      false,
    ],
  ];
  for (const [what, marks, session, seq, fresh] of cases)
    test(`${what} is ${fresh ? "counted" : "not counted"}`, () => {
      assert.equal(isFresh(marks, session, seq), fresh);
    });

  test("only the newest are remembered, and the newest session stays last", () => {
    let marks: SessionMarks = [];
    for (const session of ["a", "b", "c", "d", "e"]) marks = withMark(marks, session, 1);
    marks = withMark(marks, "c", 2);
    assert.deepEqual(marks, [
      ["b", 1],
      ["c", 2],
      ["d", 1],
      ["e", 1],
    ]);
  });
});
