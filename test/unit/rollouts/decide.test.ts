import assert from "node:assert/strict";
import { test } from "node:test";
import type { VerdictTier } from "@muster/control-plane/attestation/verdict";
import { decide } from "@muster/control-plane/rollouts/decide/decide";
import type { Decision, Facts } from "@muster/control-plane/rollouts/decide/types";
import { NO_EXPOSURES } from "@muster/control-plane/rollouts/exposure/exposures";
import type { DeviceFacts, DeviceRecord, Rollout } from "@muster/control-plane/rollouts/model";
import { completePlan } from "@muster/control-plane/rollouts/plan";
import fc from "fast-check";
import { manifestOf } from "../../integration/rollouts/world.ts";

const NEW = { name: "vibration", version: "2.0.0", sequence: 2, digest: "sha256:new" };
const OLD = { name: "vibration", version: "1.0.0", sequence: 1, digest: "sha256:old" };
const LIMITS = { instructions: 100, changes: 500, tickMs: 1000 };
const START = 1_000_000;

/** What each device of the little world is at; a decision is applied to it as the tick would. */
interface Box {
  online: boolean;
  withheld: boolean;
  verdict: { tier: VerdictTier; at: number } | null;
  generation: number;
  owner: string | null;
  desired: typeof NEW | typeof OLD | null;
  running: typeof NEW | typeof OLD;
  accepted: number;
  outcome: { generation: number; digest: string; ok: boolean } | null;
}

const manifest = { ...manifestOf("vibration", 2), components: [] };

const record = (index: number, wave: number): DeviceRecord => ({
  device: `d${index}`,
  name: `box-${index}`,
  site: `s${index % 3}`,
  hardwareClass: "cpu",
  wave,
  status: "waiting",
  bytes: 1,
  previous: null,
  attempts: 0,
  toldGeneration: null,
  toldAt: null,
  phase: null,
  phaseAt: null,
  notBefore: null,
  returnGeneration: null,
  returnedAt: null,
  outcome: null,
  failure: null,
});

function begun(devices: DeviceRecord[], plan: object = {}): Rollout {
  return {
    id: "r1",
    state: "running",
    reason: null,
    wave: null,
    waveOpenedAt: null,
    waveClockAt: null,
    gateHeldSince: null,
    skipWave: null,
    gate: null,
    pace: null,
    wagers: null,
    endedAt: null,
    seed: 7,
    release: NEW,
    manifest,
    plan: completePlan({
      release: { name: NEW.name, version: NEW.version },
      blastRadius: {},
      gate: { soakSeconds: 0, metrics: [] },
      ...plan,
    }),
    startedAt: START,
    plannedWaves: 1 + Math.max(0, ...devices.map(({ wave }) => wave)),
    devices,
  };
}

const freshBox = (online = true): Box => ({
  online,
  withheld: false,
  verdict: null,
  generation: 0,
  owner: null,
  desired: null,
  running: OLD,
  accepted: 0,
  outcome: null,
});

const factsOf = ({ online, owner, desired, running, accepted, outcome }: Box): DeviceFacts => ({
  active: true,
  online,
  owner,
  desired,
  reported: {
    generation: accepted,
    running,
    components: [],
    runner: "ready",
    update: null,
    lastResult: null,
    refused: null,
  },
  attempts: outcome
    ? [
        {
          generation: outcome.generation,
          digest: outcome.digest,
          outcome: outcome.ok ? "succeeded" : "failed-rolled-back",
          failure: outcome.ok ? null : { code: "model.golden-mismatch", message: "It differs." },
        },
      ]
    : [],
});

const worldOf = (
  boxes: Map<string, Box>,
  records: readonly DeviceRecord[],
  quarantined: ReadonlySet<string> = new Set(),
): Facts => ({
  of: (device) => factsOf(boxes.get(device) ?? freshBox(false)),
  isOnline: (place) => boxes.get(records[place]?.device ?? "")?.online ?? false,
  isWithheld: (place) => boxes.get(records[place]?.device ?? "")?.withheld ?? false,
  verdictOf: (place) => boxes.get(records[place]?.device ?? "")?.verdict ?? null,
  hasChanged: () => true,
  isQuarantined: (digest, hardwareClass) => digest === NEW.digest && quarantined.has(hardwareClass),
  installations: () => [],
  hasSentBack: () => false,
  around: () => ({
    siteOf: () => ({ timeZone: "UTC", windows: [], uplinkKbps: null }),
    site: () => ({ devices: 100, unavailable: 0 }),
    region: () => ({ devices: 100, unavailable: 0 }),
    hardwareClass: () => ({ devices: 100, unavailable: 0 }),
    outstandingBytes: () => 0,
    whereIs: (record) => record,
    isUnavailable: () => false,
  }),
  freezes: [],
  exposures: NO_EXPOSURES,
  rivals: [],
});

/** The rollout after a decision, with the directives handed to the boxes. */
function applied(rollout: Rollout, decision: Decision, boxes: Map<string, Box>): Rollout {
  const issued = new Map<string, number>();
  for (const { device, release } of decision.instructions) {
    const box = boxes.get(device);
    if (!box) continue;
    box.generation += 1;
    box.owner = rollout.id;
    box.desired = release as typeof NEW;
    issued.set(device, box.generation);
  }
  const devices = decision.devices.map((each) => {
    const generation = issued.get(each.device);
    if (generation === undefined) return each;
    return each.status === "told"
      ? { ...each, toldGeneration: generation }
      : { ...each, returnGeneration: generation };
  });
  return { ...rollout, ...decision.progress, devices };
}

/** An online box takes up what it finds; a bad release rolls itself back. */
function live(box: Box, works: boolean): void {
  if (!box.online || box.generation === box.accepted || box.desired === null) return;
  box.accepted = box.generation;
  const ok = box.desired === OLD || works;
  box.outcome = { generation: box.generation, digest: box.desired.digest, ok };
  if (ok) box.running = box.desired;
}

const boxesFor = (records: readonly DeviceRecord[], online: (index: number) => boolean) =>
  new Map(records.map(({ device }, index) => [device, freshBox(online(index))]));

test("failures are judged before success: a wave that has both does not pass", () => {
  const records = [record(0, 0), record(1, 0), record(2, 1)];
  const boxes = boxesFor(records, () => true);
  let rollout = begun(records);
  rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
  live(boxes.get("d0") as Box, true);
  live(boxes.get("d1") as Box, false);
  const decision = decide(rollout, worldOf(boxes, records), START + 1000, LIMITS);
  assert.equal(decision.progress.state, "reverting");
  assert.deepEqual(decision.quarantine, ["cpu"]);
  assert.deepEqual(
    decision.instructions.map(({ device, release }) => [device, release]),
    [
      ["d0", OLD],
      ["d1", OLD],
    ],
    "in the same decision every changed device gets its way back, and nobody else is told",
  );
});

test("not all evidence taken in: nothing is judged and nobody is told", () => {
  const records = [0, 1, 2, 3].map((index) => record(index, index === 3 ? 1 : 0));
  const boxes = boxesFor(records, () => true);
  let rollout = begun(records);
  rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
  for (const box of boxes.values()) live(box, true);
  const decision = decide(rollout, worldOf(boxes, records), START + 1, { ...LIMITS, changes: 2 });
  assert.deepEqual([decision.more, decision.appraised, decision.instructions.length], [true, false, 0]);
  assert.equal(decision.progress.wave, 0);
  rollout = applied(rollout, decision, boxes);
  const next = decide(rollout, worldOf(boxes, records), START + 1, { ...LIMITS, changes: 2 });
  assert.equal(next.progress.wave, 1, "the next decision has it all");
});

test("what timed out before it took its directive up is called off with the rollout", () => {
  const records = [record(0, 0), record(1, 0)];
  const boxes = boxesFor(records, () => true);
  let rollout = begun(records, { onFailure: "pause", timeouts: { total: 60 } });
  rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
  const [away, other] = [boxes.get("d0") as Box, boxes.get("d1") as Box];
  away.online = false;
  live(other, true);
  const facts = () => worldOf(boxes, records);
  rollout = applied(rollout, decide(rollout, facts(), START + 60_000, LIMITS), boxes);
  assert.deepEqual([rollout.state, rollout.devices[0]?.outcome], ["paused", "timed-out"]);
  const aborting: Rollout = { ...rollout, state: "aborting" };
  const called = applied(aborting, decide(aborting, facts(), START + 61_000, LIMITS), boxes);
  away.online = true;
  live(away, true);
  assert.equal(away.running, OLD, "it never sees the release that was called off");
  assert.equal(other.running, NEW);
  const end = decide(called, facts(), START + 62_000, LIMITS);
  assert.deepEqual([end.progress.state, end.devices[0]?.status], ["aborted", "returned"]);
});

test("a release in quarantine is not told to the class, and what has not begun is called off", () => {
  const records = [0, 1, 2, 3].map((index) => ({
    ...record(index, index < 2 ? 0 : 1),
    hardwareClass: index === 3 ? "gpu" : "cpu",
  }));
  const boxes = boxesFor(records, () => true);
  const plan = {
    gate: { error: { maxPercent: 100 }, success: { minPercent: 0 }, soakSeconds: 600, metrics: [] },
    retries: { max: 3, baseSeconds: 300 },
  };
  for (const force of [false, true]) {
    let rollout = begun(records, { ...plan, force });
    for (const box of boxes.values()) Object.assign(box, freshBox());
    rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
    const retrying = { ...(rollout.devices[0] as DeviceRecord), status: "retrying" as const };
    rollout = { ...rollout, devices: rollout.devices.with(0, { ...retrying, notBefore: START + 9e9 }) };
    const facts = worldOf(boxes, records, new Set(["cpu"]));
    const decision = decide(rollout, facts, START + 1000, LIMITS);
    const statuses = decision.devices.map(({ status, outcome }) => [status, outcome]);
    if (force) {
      assert.equal(decision.changed.length, 0);
      continue;
    }
    assert.deepEqual(statuses, [
      ["returning", "quarantined"],
      ["told", null],
      ["skipped", "quarantined"],
      ["waiting", null],
    ]);
    assert.deepEqual(decision.instructions, [{ device: "d0", release: OLD, shadow: null }]);
    const [event] = decision.events;
    assert.equal(event?.kind, "quarantined");
    assert.equal(
      event?.sentence,
      "vibration 2.0.0 is in quarantine for cpu: 1 device is not told and 1 goes back.",
    );
  }
});

test("a withheld device is told nothing, counts in no share and holds no wave for ever", () => {
  const records = [record(0, 0), record(1, 0), record(2, 0), record(3, 1)];
  const boxes = boxesFor(records, () => true);
  const suspect = boxes.get("d1") as Box;
  const late = boxes.get("d2") as Box;
  suspect.withheld = true;
  const facts = () => worldOf(boxes, records);
  let rollout = begun(records);
  const first = decide(rollout, facts(), START, LIMITS);
  assert.deepEqual(
    first.instructions.map(({ device }) => device),
    ["d0", "d2"],
  );
  assert.equal(first.held.get("d1"), "withheld");
  rollout = applied(rollout, first, boxes);
  for (const box of boxes.values()) live(box, true);
  // What it reports after the update proves nothing once its evidence says otherwise.
  late.withheld = true;
  const second = decide(rollout, facts(), START + 1000, LIMITS);
  assert.equal(second.progress.wave, 1, "one success of one known end: the next wave begins");
  const met = second.events.find(({ kind }) => kind === "gate-met");
  assert.deepEqual([met?.numbers.succeeded, met?.numbers.withheld], [1, 2]);
  rollout = applied(rollout, second, boxes);
  for (const box of boxes.values()) live(box, true);
  const third = decide(rollout, facts(), START + 2000, LIMITS);
  assert.equal(third.progress.state, "completed");
  assert.match(
    third.events.at(-1)?.sentence ?? "",
    /2 are withheld: they get the release once attestation passes/,
  );
  rollout = applied(rollout, third, boxes);

  suspect.withheld = false;
  const fourth = decide(rollout, facts(), START + 3000, LIMITS);
  assert.deepEqual(
    fourth.instructions.map(({ device, release }) => [device, release]),
    [["d1", NEW]],
    "it gets its directive when it passes again",
  );
});

test("a wave of withheld devices alone waits as one of offline devices does, and then for a person", () => {
  const records = [record(0, 0), record(1, 1)];
  const boxes = boxesFor(records, () => true);
  (boxes.get("d0") as Box).withheld = true;
  let rollout = begun(records, { timeouts: { total: 600 } });
  rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
  assert.deepEqual([rollout.state, rollout.wave], ["running", 0]);
  const decision = decide(rollout, worldOf(boxes, records), START + 600_000, LIMITS);
  assert.equal(decision.progress.state, "paused");
  assert.match(decision.progress.reason ?? "", /0 devices are offline and 1 withheld/);
});

test("a revert sends withheld devices back too", () => {
  const records = [record(0, 0), record(1, 0)];
  const boxes = boxesFor(records, () => true);
  let rollout = begun(records);
  rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
  for (const box of boxes.values()) live(box, true);
  for (const box of boxes.values()) box.withheld = true;
  const decision = decide({ ...rollout, state: "reverting" }, worldOf(boxes, records), START + 1, LIMITS);
  assert.deepEqual(
    decision.instructions.map(({ release }) => release),
    [OLD, OLD],
  );
});

test("the gate on attestation asks for evidence that is newer than the update", () => {
  const rows: [Box["verdict"], string, string | undefined][] = [
    [null, "running", "inconclusive"],
    [{ tier: "affirming", at: START - 1 }, "running", "inconclusive"],
    [{ tier: "warning", at: START + 500 }, "running", "inconclusive"],
    [{ tier: "affirming", at: START + 500 }, "completed", "met"],
    [{ tier: "contraindicated", at: START + 500 }, "reverting", "violated"],
  ];
  for (const [verdict, state, word] of rows) {
    const records = [record(0, 0)];
    const boxes = boxesFor(records, () => true);
    let rollout = begun(records, { gate: { soakSeconds: 0, metrics: [], attestation: {} } });
    rollout = applied(rollout, decide(rollout, worldOf(boxes, records), START, LIMITS), boxes);
    const box = boxes.get("d0") as Box;
    live(box, true);
    box.verdict = verdict;
    const decision = decide(rollout, worldOf(boxes, records), START + 1000, LIMITS);
    const condition = decision.gateNow?.conditions.find(({ kind }) => kind === "attestation");
    assert.deepEqual([decision.progress.state, condition?.verdict], [state, word], JSON.stringify(verdict));
    if (state === "reverting") assert.deepEqual(decision.quarantine, ["cpu"]);
  }
});

const step = fc.record({
  /** Devices that change between online and offline. */
  toggles: fc.array(fc.nat({ max: 11 }), { maxLength: 4 }),
  /** Devices that change between passing and being withheld. */
  suspects: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
  works: fc.boolean(),
  /** Another rollout puts the release in quarantine, an operator lifts it. */
  quarantined: fc.boolean(),
  /** An operator stops the rollout. */
  action: fc.constantFrom(...Array(8).fill(undefined), "aborting" as const, "reverting" as const),
  seconds: fc.constantFrom(1, 30, 600),
});

test("whatever happens, the rules of a decision hold", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 12 }),
      fc.array(step, { maxLength: 25 }),
      fc.record({
        maxInFlight: fc.constantFrom(undefined, 2),
        timeouts: fc.constant({ total: 900 }),
        retries: fc.record({ max: fc.constantFrom(0, 1), baseSeconds: fc.constant(30) }),
        deadlineSeconds: fc.constantFrom(undefined, 3600),
      }),
      fc.constantFrom(1, 3, 100),
      (waves, steps, plan, instructions) => {
        const sorted = waves.toSorted((a, b) => a - b);
        const records = sorted.map((wave, index) => record(index, wave));
        const boxes = boxesFor(records, (index) => index % 2 === 0);
        const always = new Set(records.map(({ device }) => device).filter((id) => !boxes.get(id)?.online));
        let rollout = begun(records, plan);
        let now = START;
        for (const { toggles, suspects, works, seconds, quarantined, action } of steps) {
          now += seconds * 1000;
          for (const index of toggles) {
            const box = boxes.get(`d${index}`);
            if (box) box.online = !box.online;
            always.delete(`d${index}`);
          }
          for (const index of suspects) {
            const box = boxes.get(`d${index}`);
            if (box) box.withheld = !box.withheld;
          }
          for (const box of boxes.values()) live(box, works);
          if (action && ["running", "paused"].includes(rollout.state))
            rollout = { ...rollout, state: action };
          const facts = worldOf(boxes, records, new Set(quarantined ? ["cpu"] : []));
          const limits = { ...LIMITS, instructions };
          const decision = decide(rollout, facts, now, limits);
          assert.deepEqual(
            decide(rollout, facts, now, limits),
            decision,
            "the same facts, the same decision",
          );
          requireRules(rollout, decision, boxes, instructions);
          if (quarantined) assert.ok(decision.instructions.every(({ release }) => release !== NEW));
          rollout = applied(rollout, decision, boxes);
        }
        for (const device of always)
          assert.equal(boxes.get(device)?.generation, 0, "who was away all the time was told nothing");
      },
    ),
    { numRuns: 300 },
  );
});

function requireRules(
  before: Rollout,
  { progress, devices, instructions, events }: Decision,
  boxes: Map<string, Box>,
  most: number,
): void {
  assert.ok(instructions.length <= most);
  assert.equal(new Set(instructions.map(({ device }) => device)).size, instructions.length);
  for (const [index, after] of devices.entries()) {
    const was = before.devices[index] as DeviceRecord;
    const isTold = instructions.some(({ device, release }) => device === after.device && release === NEW);
    if (isTold) {
      assert.ok(after.wave <= (progress.wave ?? -1), "nobody beyond the open wave is told");
      assert.ok(boxes.get(after.device)?.online, "only who is there is told");
      assert.ok(!boxes.get(after.device)?.withheld, "who is withheld is told nothing new");
      assert.ok(["waiting", "retrying"].includes(was.status));
      assert.ok(["running", "completed"].includes(progress.state));
    }
  }
  const { maxInFlight } = before.plan;
  const inFlight = devices.filter(({ status }) => status === "told").length;
  if (maxInFlight !== null && progress.state === "running") assert.ok(inFlight <= maxInFlight);
  if (progress.state === "reverted")
    for (const { status, attempts } of devices)
      if (attempts > 0) assert.ok(["returning", "returned", "return-failed"].includes(status), status);
  if (progress.state === "reverted" || progress.state === "aborted")
    for (const record of devices) {
      assert.ok(!["waiting", "held"].includes(record.status), "nobody waits for what has ended");
      const box = boxes.get(record.device);
      const untaken = box?.desired === NEW && box.accepted < box.generation;
      const sentBack = instructions.some(({ device }) => device === record.device);
      assert.ok(!untaken || sentBack, "no directive of what was called off is left to be taken up");
    }
  if (progress.state !== before.state) assert.ok(events.length > 0, "each change of state says why");
  if (progress.wave !== before.wave && before.wave !== null)
    assert.equal(progress.wave, before.wave + 1, "waves open one by one");
}
