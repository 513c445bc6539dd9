import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectiveDesk } from "@muster/control-plane/rollouts/directive-desk";
import type { RolloutTick } from "@muster/control-plane/rollouts/tick";
import type { RolloutView } from "@muster/control-plane/rollouts/views";
import type { Stores } from "@muster/control-plane/storage/database";
import fc from "fast-check";
import type { Behaviour } from "./simulated-device.ts";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const STEPS = 45;

const behaviour: fc.Arbitrary<Behaviour> = fc.record(
  {
    onUpdate: fc.oneof(
      { weight: 8, arbitrary: fc.constant("succeed" as const) },
      { weight: 2, arbitrary: fc.constantFrom("roll-back", "hang", "crash-later", "reject") },
    ),
    takes: fc.integer({ min: 1, max: 6 }),
    offlineFrom: fc.integer({ min: 0, max: 20 }),
    offlineUntil: fc.integer({ min: 0, max: 35 }),
  },
  { requiredKeys: ["onUpdate", "takes"] },
);

const fleet: fc.Arbitrary<DevicePlan[]> = fc.array(
  fc.record({ site: fc.constantFrom("a", "b/one", "b/two", "c"), behaviour }),
  { minLength: 1, maxLength: 14 },
);

const plans = fc.record({
  waves: fc
    .uniqueArray(fc.integer({ min: 1, max: 100 }), { maxLength: 3 })
    .map((percents) => percents.sort((a, b) => a - b).map((percent) => ({ percent }))),
  gate: fc.record({
    success: fc.record({ minPercent: fc.constantFrom(50, 80, 100), minDevices: fc.constant(1) }),
    error: fc.record({ maxPercent: fc.constantFrom(0, 10, 40), minDevices: fc.constantFrom(1, 3) }),
    soakSeconds: fc.constantFrom(0, 20, 60),
    metrics: fc.constant([]),
  }),
  timeouts: fc.record({ total: fc.constantFrom(30, 80) }),
  retries: fc.record({ max: fc.constantFrom(0, 2), baseSeconds: fc.constantFrom(10, 30) }),
  onFailure: fc.constantFrom("revert" as const, "pause" as const),
});

type Plan = typeof plans extends fc.Arbitrary<infer T> ? T : never;

const actions = fc.array(
  fc.record({
    step: fc.integer({ min: 1, max: 25 }),
    action: fc.constantFrom("pause", "resume", "abort", "revert"),
  }),
  { maxLength: 2 },
);

/** A restart: before which step, after how many statements the old process dies, and whether its broker lived. */
const restarts = fc.array(
  fc.record({
    step: fc.integer({ min: 0, max: STEPS - 1 }),
    statements: fc.integer({ min: 0, max: 60 }),
    brokerDown: fc.boolean(),
  }),
  { maxLength: 12 },
);

interface Scenario {
  devices: DevicePlan[];
  plan: object;
  actions: readonly { step: number; action: "pause" | "resume" | "abort" | "revert" }[];
  cap: number;
  restarts: readonly { step: number; statements: number; brokerDown: boolean }[];
}

/** The same database, over which the process dies once it has run so many statements. */
function dyingAfter({ control, controlRaw, writeControl }: Stores, statements: number) {
  let left = statements;
  const live = <T>(work: () => T): T => {
    left -= 1;
    if (left < 0) throw new Error("the process was killed");
    return work();
  };
  const mortal = new Proxy(controlRaw, {
    get(db, member) {
      const value: unknown = Reflect.get(db, member, db);
      if (member === "prepare") return (sql: string) => mortalStatement(db.prepare(sql), live);
      return typeof value === "function" ? value.bind(db) : value;
    },
  });
  const plugin: Parameters<Stores["control"]["withPlugin"]>[0] = {
    transformQuery: ({ node }) => live(() => node),
    transformResult: async ({ result }) => result,
  };
  return {
    control: control.withPlugin(plugin),
    controlRaw: mortal,
    writeControl: async <T>(work: (db: Stores["controlRaw"]) => T) => await writeControl(() => work(mortal)),
  };
}

function mortalStatement(
  statement: ReturnType<Stores["controlRaw"]["prepare"]>,
  live: <T>(work: () => T) => T,
): typeof statement {
  return new Proxy(statement, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        const result: unknown = ["run", "get", "all"].includes(String(member))
          ? live(() => value.apply(target, given))
          : value.apply(target, given);
        return result === target ? mortalStatement(target, live) : result;
      };
    },
  });
}

interface Moment {
  view: RolloutView;
  told: number;
}

async function play(
  scenario: Scenario,
): Promise<{ moments: Moment[]; end: object; world: World; id: string }> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices(scenario.devices, old, [OLD, NEW]);
  const service = world.service((bytes) => Buffer.alloc(bytes, 7));
  const { id } = await service.create(
    { release: { name: "vibration", version: "2.0.0" }, ...scenario.plan },
    ANNA,
  );
  await service.start(id, ANNA);
  const newTick = () => world.tick({ instructions: scenario.cap });
  let tick: RolloutTick = newTick();
  const moments: Moment[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    world.now += 10_000;
    for (const device of world.devices.values()) device.live();
    for (const { action } of scenario.actions.filter((each) => each.step === step))
      await service[action](id, ANNA).catch(() => undefined);
    for (const { statements, brokerDown } of scenario.restarts.filter((each) => each.step === step)) {
      world.brokerDown = brokerDown;
      await world.tick({ stores: dyingAfter(world.stores, statements), instructions: scenario.cap }).run();
      world.brokerDown = false;
      tick = newTick();
      await new DirectiveDesk(world).restore();
    }
    await tick.run();
    const view = await service.get(id);
    const { total, waiting, offline, skipped } = view.counts;
    const told = total - waiting - offline - skipped;
    moments.push({ view, told });
  }
  const { controlRaw } = world.stores;
  const end = {
    // How many writes it took is nobody's business.
    rollouts: controlRaw.prepare("SELECT *, 0 AS revision FROM rollouts").all(),
    devices: controlRaw.prepare("SELECT * FROM rollout_devices ORDER BY position").all(),
    events: controlRaw.prepare("SELECT * FROM rollout_events ORDER BY seq").all(),
    quarantines: controlRaw.prepare("SELECT * FROM quarantines").all(),
    directives: world.directives(),
    running: [...world.devices.values()].map((device) => device.running),
  };
  return { moments, end, world, id };
}

test("killed and started again at any statement, a rollout ends exactly as without", async () => {
  await fc.assert(
    fc.asyncProperty(fleet, plans, actions, restarts, async (devices, plan, acts, killed) => {
      const undisturbed = await play({ devices, plan, actions: acts, cap: 100, restarts: [] });
      const disturbed = await play({ devices, plan, actions: acts, cap: 100, restarts: killed });
      try {
        assert.deepEqual(disturbed.end, undisturbed.end);
      } finally {
        await undisturbed.world.close();
        await disturbed.world.close();
      }
    }),
    { numRuns: 20 },
  );
});

/** The last directives of a rollout are stored with its end: a start must publish those of ended ones too. */
const DIED_BEFORE_PUBLISHING: [
  DevicePlan[],
  Plan,
  Scenario["actions"][number][],
  Scenario["restarts"][number][],
  number,
] = [
  [{ site: "a", behaviour: { onUpdate: "roll-back", takes: 1, offlineFrom: 1, offlineUntil: 9 } }],
  {
    waves: [],
    gate: {
      success: { minPercent: 50, minDevices: 1 },
      error: { maxPercent: 0, minDevices: 1 },
      soakSeconds: 0,
      metrics: [],
    },
    timeouts: { total: 80 },
    retries: { max: 0, baseSeconds: 10 },
    onFailure: "revert",
  },
  [],
  [{ step: 8, statements: 18, brokerDown: true }],
  2,
];

test("whatever the fleet does, the rules of a rollout hold at every step", async () => {
  await fc.assert(
    fc.asyncProperty(fleet, plans, actions, restarts, fc.constantFrom(2, 100), async (...given) => {
      const [devices, plan, acts, killed, cap] = given;
      const { moments, world, id } = await play({ devices, plan, actions: acts, cap, restarts: killed });
      try {
        moments.forEach(requireWaveLimit);
        requireNobodyToldAfterStop(moments);
        requireEvidence(moments, plan.gate.success.minDevices);
        requireWayBack(world, moments.at(-1)?.view as RolloutView);
        requireCounts(moments);
        assert.ok(id);
      } finally {
        await world.close();
      }
    }),
    { numRuns: 25, examples: [DIED_BEFORE_PUBLISHING] },
  );
});

/** Never more devices told than the open wave and those before it have. */
function requireWaveLimit({ view, told }: Moment): void {
  const allowed = view.waveList.slice(0, view.wave ?? 0).reduce((sum, wave) => sum + wave.counts.total, 0);
  assert.ok(told <= allowed, `${told} told, ${allowed} allowed`);
}

function requireNobodyToldAfterStop(moments: Moment[]): void {
  const stopped = moments.findIndex(({ view }) =>
    ["reverting", "reverted", "aborting", "aborted"].includes(view.state),
  );
  if (stopped < 0) return;
  const before = moments[stopped - 1]?.told ?? 0;
  for (const { told } of moments.slice(stopped)) assert.equal(told, before);
}

/** A wave behind the open one had its minimum evidence when it passed. */
function requireEvidence(moments: Moment[], minDevices: number): void {
  for (const [index, { view }] of moments.entries()) {
    const before = moments[index - 1]?.view;
    if (!before || before.wave === null || view.wave === before.wave) continue;
    assert.equal(view.wave, (before.wave ?? 0) + 1, "waves open one by one");
    const passed = view.waveList[before.wave - 1]?.counts;
    const ended = (passed?.succeeded ?? 0) + (passed?.failed ?? 0);
    assert.ok(ended >= minDevices, `wave ${before.wave} passed with ${ended} known ends`);
    assert.equal((passed?.pending ?? 0) + (passed?.silent ?? 0), 0);
  }
}

/** A reverted rollout left every device that can answer on its own former release. */
function requireWayBack(world: World, view: RolloutView): void {
  if (view.state !== "reverted") return;
  for (const [id, status] of Object.entries(world.statuses())) {
    const device = world.devices.get(id);
    if (status === "skipped" || !device?.online) continue;
    assert.equal(device.running?.sequence, 1, `${id} is ${status}`);
    assert.equal(status, "returned");
  }
}

function requireCounts(moments: Moment[]): void {
  for (const { view } of moments) {
    const { total, ...rest } = view.counts;
    assert.equal(
      Object.values(rest).reduce((sum, count) => sum + count, 0),
      total,
      "each device is counted once",
    );
  }
}
