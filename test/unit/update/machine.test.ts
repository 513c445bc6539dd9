import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyJournal, JournalState, type Order } from "@muster/agent/update/journal-state";
import { effectOf, type JournalEvent, transition } from "@muster/agent/update/machine";
import type { UpdateBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";

const limits = { maxRestarts: 5, maxTries: 5, stableMs: 600_000 };
const release = (letter: string): ReleaseRef => ({
  name: "eyes",
  version: letter,
  sequence: letter.charCodeAt(0),
  digest: `sha256:${letter.repeat(64)}`,
});
const [A, B, C] = [release("a"), release("b"), release("c")];
const order = (generation: number, target: ReleaseRef | null): Order => ({
  generation,
  rollout: null,
  release: target,
  notAfter: 1000,
  shadow: null,
});
const ordered = (generation: number, target: ReleaseRef | null, healthy = true): JournalEvent => ({
  type: "ordered",
  order: order(generation, target),
  healthy,
});
const fail = (code: string, kind: "retry" | "refetch" | "final" = "final"): JournalEvent => ({
  type: "failed",
  kind,
  failure: { code, message: "It failed." },
});
const done = (
  type: "resolved" | "fetched" | "staged" | "admitted" | "switched" | "served" | "passed" | "restored",
) => ({ type }) as JournalEvent;
const INSTALL = ["resolved", "fetched", "staged", "admitted", "switched", "served"] as const;

function play(events: JournalEvent[], from: JournalState = emptyJournal, now = 10) {
  let state = from;
  const told: string[] = [];
  const tell = ({ generation, phase, outcome, failure }: UpdateBody) =>
    [generation, phase, outcome, failure?.code].filter((part) => part !== undefined).join(" ");
  for (const event of events) {
    const step = transition(state, event, { now, limits });
    state = step.state;
    told.push(...step.records.map(tell));
  }
  return { state, told };
}

const onA: JournalState = { ...emptyJournal, committed: A, active: A };
const until = (last: (typeof INSTALL)[number]) => INSTALL.slice(0, INSTALL.indexOf(last) + 1).map(done);

test("machine: an update goes through every phase and is committed", () => {
  const { state, told } = play([ordered(1, B), ...until("served"), done("passed")], onA);
  assert.deepEqual(told, [
    "1 accepted",
    "1 fetching",
    "1 fetched",
    "1 staged",
    "1 activating",
    "1 probation",
    "1 committed succeeded",
  ]);
  assert.deepEqual([state.committed, state.active, state.previous, state.attempt], [B, B, A, null]);
  assert.equal(state.lastResult?.outcome, "succeeded");
});

const endings: [string, JournalEvent[], string, ReleaseRef | null][] = [
  ["rejected before the download", [fail("release.unsigned")], "rejected", A],
  ["expired while it waited", [fail("request.unreachable", "retry")], "failed-unchanged", A],
  ["failed download", [...until("resolved"), fail("artifact.corrupted")], "failed-unchanged", A],
  ["document that is no JSON", [...until("fetched"), fail("config.invalid")], "rejected", A],
  ["golden outputs differ", [...until("fetched"), fail("model.golden-mismatch")], "failed-unchanged", A],
  ["lost before the switch", [...until("admitted"), fail("runner.crashed")], "failed-unchanged", A],
  ["cannot serve", [...until("switched"), fail("runner.hung"), done("restored")], "failed-rolled-back", A],
  [
    "fails probation",
    [...until("served"), fail("probation.errors"), done("restored")],
    "failed-rolled-back",
    A,
  ],
  [
    "neither runs",
    [...until("served"), fail("probation.errors"), fail("model.load-failed")],
    "failed-stuck",
    A,
  ],
];
for (const [name, events, outcome, active] of endings)
  test(`machine: ${name} ends as ${outcome}`, () => {
    const begun = play([ordered(1, B)], onA).state;
    const { state } = play(events, begun, name.startsWith("expired") ? 2000 : 10);
    assert.equal(state.lastResult?.outcome, outcome);
    assert.deepEqual(state.active, active);
    assert.deepEqual(state.committed, A);
  });

test("machine: a release that was the first falls back to nothing", () => {
  const { state, told } = play([
    ordered(1, A),
    ...until("served"),
    fail("probation.crashed"),
    done("restored"),
  ]);
  assert.equal(state.active, null);
  assert.equal(told.at(-1), "1 rolled-back failed-rolled-back probation.crashed");
});

test("machine: stuck is told once, and a later restore is told too", () => {
  const stuck = [fail("probation.errors"), fail("model.load-failed"), fail("model.load-failed")];
  const { told } = play([ordered(1, B), ...until("served"), ...stuck, done("restored")], onA);
  assert.deepEqual(told.slice(-3), [
    "1 rolling-back probation.errors",
    "1 rolling-back failed-stuck update.stuck",
    "1 rolled-back failed-rolled-back probation.errors",
  ]);
});

test("machine: a directive rescues a device that is stuck", () => {
  const stuck = [fail("probation.errors"), fail("model.load-failed"), ordered(2, C)];
  const { state } = play([ordered(1, B), ...until("served"), ...stuck], onA);
  assert.deepEqual([state.attempt?.phase, state.attempt?.order.generation], ["accepted", 2]);
});

test("machine: what runs and is proven is not installed again", () => {
  const { state, told } = play([ordered(7, A)], onA);
  assert.deepEqual(told, ["7 committed succeeded"]);
  assert.equal(state.attempt, null);
});

test("machine: what should run and is not proven is installed again", () => {
  assert.equal(play([ordered(7, A, false)], onA).state.attempt?.phase, "accepted");
});

test("machine: a newer directive before activation takes the place of the older", () => {
  const { state, told } = play([ordered(1, B), ...until("staged"), ordered(2, C)], onA);
  assert.deepEqual(told.slice(-2), ["1 staged superseded update.superseded", "2 accepted"]);
  assert.equal(state.active, A);
});

test("machine: a newer directive for what is being installed goes on under its number", () => {
  for (const last of INSTALL) {
    const { state, told } = play([ordered(1, B), ...until(last), ordered(2, B), done("passed")], onA);
    if (last === "served") assert.deepEqual(state.committed, B);
    else assert.equal(state.attempt?.order.generation, 2);
    assert.ok(told.some((line) => line.startsWith("1 ") && line.includes("superseded")));
  }
});

test("machine: a newer directive on probation goes back first", () => {
  const { state, told } = play([ordered(1, B), ...until("served"), ordered(2, C), ordered(3, A)], onA);
  assert.equal(state.attempt?.phase, "rolling-back");
  assert.equal(told.at(-1), "2 accepted superseded update.superseded");
  const end = play([done("restored")], state);
  assert.deepEqual(end.told, ["1 rolled-back superseded update.superseded", "3 committed succeeded"]);
});

test("machine: a directive to run nothing stops what runs", () => {
  const { state, told } = play([ordered(1, null), done("switched"), done("served")], onA);
  assert.deepEqual(told, ["1 accepted", "1 activating", "1 committed succeeded"]);
  assert.deepEqual([state.active, state.committed, state.previous], [null, null, A]);
});

test("machine: waiting is told when its reason changes, and not otherwise", () => {
  const wait = fail("request.unreachable", "retry");
  const { told } = play([ordered(1, B), wait, wait, fail("trust.metadata-expired", "retry")], onA);
  assert.deepEqual(told, [
    "1 accepted",
    "1 accepted request.unreachable",
    "1 accepted trust.metadata-expired",
  ]);
});

test("machine: what is told and kept stays within the schema, however long the reason", () => {
  const failure = { code: "internal.unexpected", message: "x".repeat(1000) };
  const waits: JournalEvent = { type: "failed", kind: "retry", failure };
  const waiting = play([ordered(1, B), waits], onA).state;
  for (const last of [waits, { type: "started" } as const]) {
    const { state } = play([last], waiting, 2000);
    assert.equal(state.lastResult?.failure?.code, "directive.expired");
    validate(JournalState, state, "storage.newer");
  }
});

test("machine: a damaged artifact is fetched again, but not for ever", () => {
  const again = [done("fetched"), fail("artifact.corrupted", "refetch")];
  const { state } = play([ordered(1, B), ...until("resolved"), ...Array(6).fill(again).flat()], onA);
  assert.equal(state.lastResult?.outcome, "failed-unchanged");
});

const restartsUntil = (from: JournalState): [number, string | undefined] => {
  let state = from;
  for (let starts = 1; starts < 50; starts++) {
    const phase = state.attempt?.phase;
    state = transition(state, { type: "started" }, { now: 10, limits }).state;
    if (state.attempt?.phase !== phase && state.attempt?.phase !== "fetched")
      return [starts, state.attempt?.phase];
    for (const event of until("admitted").slice(1))
      state = transition(state, event, { now: 10, limits }).state;
  }
  return [50, state.attempt?.phase];
};

test("machine: a probation that restarts the agent again and again is rolled back", () => {
  const { state } = play([ordered(1, B), ...until("served")], onA);
  assert.deepEqual(restartsUntil(state), [6, "rolling-back"]);
});

test("machine: staging that restarts the agent again and again is given up", () => {
  const { state } = play([ordered(1, B), ...until("fetched")], onA);
  let current = state;
  for (let starts = 0; starts < 6; starts++) current = play([{ type: "started" }], current).state;
  assert.equal(current.lastResult?.failure?.code, "update.attempts-exhausted");
  assert.deepEqual(current.active, A);
});

test("machine: a long probation forgives restarts", () => {
  const progress = { elapsedMs: 1, inferences: 0, failures: 0, crashes: 0 };
  let { state } = play([ordered(1, B), ...until("served")], onA);
  for (let day = 0; day < 20; day++)
    state = play([{ type: "started" }, { type: "sampled", progress, stableMs: 600_000 }], state).state;
  assert.equal(state.attempt?.phase, "probation");
});

test("machine: a restart before the switch stages again, after the switch it goes on", () => {
  const phaseAfter = (last: (typeof INSTALL)[number]) =>
    play([ordered(1, B), ...until(last), { type: "started" }], onA).state.attempt?.phase;
  assert.deepEqual(INSTALL.map(phaseAfter), [
    "fetching",
    "fetched",
    "fetched",
    "fetched",
    "activating",
    "probation",
  ]);
});

test("machine: what was not switched to cannot be served", () => {
  const { state } = play([ordered(1, B), ...until("admitted"), done("served"), done("passed")], onA);
  assert.deepEqual([state.attempt?.phase, state.active], ["activating", A]);
});

test("machine: nothing to do means to keep what runs", () => {
  assert.equal(effectOf(onA), "keep");
  assert.deepEqual(play([done("served"), done("passed"), fail("runner.crashed")], onA).state, onA);
});
