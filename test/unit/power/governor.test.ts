import assert from "node:assert/strict";
import { test } from "node:test";
import { actionsOf, actionWords, conditionsOf } from "@muster/agent/power/actions";
import { COOL, type GovernorState, govern, levelOf } from "@muster/agent/power/governor";
import { DEFAULT_POWER_RULES, type PowerRules, powerRules } from "@muster/agent/power/rules";
import type { Reading } from "@muster/agent/power/sensors/sensors";
import fc from "fast-check";

const SAMPLE_MS = 5_000;
const rules: PowerRules = { ...DEFAULT_POWER_RULES, maxTemperatureC: 80, budgetWatts: 10 };
const LONGEST_WAIT_MS = rules.fallMs * 2 ** rules.mostRelapses;

const nothing: Reading = {
  temperatureC: null,
  watts: null,
  energyMj: null,
  meter: null,
  throttled: null,
  supply: null,
};
const at = (temperatureC: number): Reading => ({ ...nothing, temperatureC });
const drawing = (watts: number): Reading => ({ ...nothing, watts });
const onBattery = (percent: number | null): Reading => ({
  ...nothing,
  supply: { onBattery: true, percent, watts: null },
});

/** Shows each reading for so many samples. @returns the state after each sample */
function run(readings: readonly [Reading, number][], from: GovernorState = COOL, start = 0): GovernorState[] {
  const states: GovernorState[] = [];
  let [state, now] = [from, start];
  for (const [reading, samples] of readings)
    for (let count = 0; count < samples; count += 1) {
      now += SAMPLE_MS;
      ({ state } = govern(state, reading, rules, now));
      states.push(state);
    }
  return states;
}

const levels = (state: GovernorState): string => `${levelOf(state.heat)} ${levelOf(state.draw)}`;
const endOf = (...readings: [Reading, number][]): string => levels(run(readings).at(-1)!);

const table: [what: string, readings: [Reading, number][], expected: string][] = [
  ["knows nothing", [[nothing, 50]], "normal normal"],
  ["is cool", [[at(69), 50]], "normal normal"],
  ["is warm for a moment", [[at(71), 2]], "normal normal"],
  ["is warm", [[at(71), 3]], "warm normal"],
  ["is hot, one level after the other", [[at(80), 3]], "warm normal"],
  ["is hot for long", [[at(80), 50]], "hot normal"],
  ["is critical: no wait between the levels", [[at(90), 3]], "critical normal"],
  [
    "spikes are no heat",
    [
      [at(75), 1],
      [at(60), 1],
      [at(75), 1],
      [at(60), 1],
      [at(75), 1],
    ],
    "normal normal",
  ],
  [
    "stays warm within the hysteresis",
    [
      [at(71), 5],
      [at(66), 500],
    ],
    "warm normal",
  ],
  [
    "leaves warm below the hysteresis",
    [
      [at(71), 5],
      [at(64), 14],
    ],
    "normal normal",
  ],
  [
    "not before its time",
    [
      [at(71), 5],
      [at(64), 12],
    ],
    "warm normal",
  ],
  ["is throttled at any temperature", [[{ ...at(40), throttled: true }, 50]], "hot normal"],
  ["draws below its budget", [[drawing(8.9), 50]], "normal normal"],
  ["comes near its budget", [[drawing(9), 50]], "normal warm"],
  ["exceeds its budget", [[drawing(10), 50]], "normal hot"],
  ["exceeds it by far", [[drawing(11.5), 3]], "normal critical"],
  ["runs on a full battery", [[onBattery(100), 50]], "normal warm"],
  ["runs on a battery of unknown charge", [[onBattery(null), 50]], "normal warm"],
  ["runs on half a battery", [[onBattery(50), 50]], "normal hot"],
  ["runs on the rest of a battery", [[onBattery(20), 50]], "normal critical"],
  ["charges", [[{ ...nothing, supply: { onBattery: false, percent: 5, watts: null } }, 50]], "normal normal"],
  [
    "lost its sensor",
    [
      [at(90), 10],
      [nothing, 60],
    ],
    "normal normal",
  ],
];
for (const [what, readings, expected] of table)
  test(`governor: a box that ${what} is ${expected}`, () => assert.equal(endOf(...readings), expected));

test("governor: a change is told once, with its numbers", () => {
  let state = COOL;
  const told: string[] = [];
  for (let now = 0; now <= 60_000; now += SAMPLE_MS) {
    const next = govern(state, at(81.25), rules, now);
    state = next.state;
    for (const { cause, from, to, rises, reason } of next.changes)
      told.push(`${cause} ${from}-${to} ${rises}: ${reason}`);
  }
  assert.deepEqual(told, [
    "heat normal-warm true: 81.3 °C, the limit is 80 °C",
    "heat warm-hot true: 81.3 °C, the limit is 80 °C",
  ]);
});

test("governor: each level keeps what the one below it asks for", () => {
  const words = ([heat, draw]: [Reading, Reading]) => {
    const state = run([[{ ...heat, watts: draw.watts }, 50]]).at(-1)!;
    const actions = actionsOf(state, rules);
    return { words: actionWords(actions), ...conditionsOf(actions, null), threads: actions.threads };
  };
  assert.deepEqual(words([at(20), drawing(1)]), {
    words: "nothing is restricted",
    heat: false,
    power: false,
    bestEffort: { perSecond: null, deferredUntil: null },
    threads: null,
  });
  assert.deepEqual(words([at(72), drawing(1)]), {
    words: "one thread for each model, at most 5 best-effort requests a second",
    heat: false,
    power: false,
    bestEffort: { perSecond: 5, deferredUntil: null },
    threads: 1,
  });
  const hot = words([at(82), drawing(9.2)]);
  assert.deepEqual([hot.heat, hot.power, hot.bestEffort.perSecond], [true, false, 5]);
  const both = words([at(90), drawing(12)]);
  assert.deepEqual([both.heat, both.power, both.bestEffort.perSecond, both.threads], [true, true, 0, 1]);
  assert.match(both.words, /no best-effort requests/);
});

test("governor: a box that only observes restricts nothing", () => {
  const state = run([[at(100), 50]]).at(-1)!;
  const actions = actionsOf(state, powerRules({ observeOnly: true }));
  assert.deepEqual(actions, { threads: null, heat: false, power: false, perSecond: null });
});

const readingOf = fc.record({
  temperatureC: fc.option(fc.double({ min: 20, max: 110, noNaN: true })),
  watts: fc.option(fc.double({ min: 0, max: 20, noNaN: true })),
  throttled: fc.option(fc.boolean()),
  supply: fc.option(
    fc.record({
      onBattery: fc.boolean(),
      percent: fc.option(fc.integer({ min: 0, max: 100 })),
      watts: fc.constant(null),
    }),
  ),
  energyMj: fc.constant(null),
  meter: fc.constant(null),
});
const history = fc.array(fc.tuple(readingOf, fc.integer({ min: 1, max: 40 })), { maxLength: 30 });

test("governor: whatever was, calm readings lead back to normal", () => {
  fc.assert(
    fc.property(history, (readings) => {
      const calm = { ...at(20), watts: 1, throttled: false };
      const samples = Math.ceil((3.5 * LONGEST_WAIT_MS) / SAMPLE_MS);
      assert.equal(endOf(...readings, [calm, samples]), "normal normal");
    }),
    { numRuns: 50 },
  );
});

test("governor: in the same state a worse reading never leads to a lower level", () => {
  fc.assert(
    fc.property(
      history,
      readingOf,
      fc.double({ min: 0, max: 30, noNaN: true }),
      fc.double({ min: 0, max: 10, noNaN: true }),
      (past, reading, heat, draw) => {
        const state = run(past).at(-1) ?? COOL;
        const worse = {
          ...reading,
          temperatureC: reading.temperatureC === null ? null : reading.temperatureC + heat,
          watts: reading.watts === null ? null : reading.watts + draw,
          throttled: reading.throttled === null ? null : true,
        };
        const now = 1e9;
        const [a, b] = [reading, worse].map((each) => govern(state, each, rules, now).state);
        assert.ok(b!.heat.step >= a!.heat.step && b!.draw.step >= a!.draw.step);
      },
    ),
  );
});

test("governor: a level moves by one at a time and never falls twice within its wait", () => {
  fc.assert(
    fc.property(history, (readings) => {
      let before = 0;
      let fell = Number.NEGATIVE_INFINITY;
      for (const [index, { heat }] of run(readings).entries()) {
        assert.ok(Math.abs(heat.step - before) <= 1);
        if (heat.step < before) {
          assert.ok(index - fell >= rules.fallMs / SAMPLE_MS);
          fell = index;
        }
        before = heat.step;
      }
    }),
    { numRuns: 50 },
  );
});

test("governor: an action that cures its own cause does not make the level swing", () => {
  // The box is hot at full work and cool when restricted: without a memory it would change every minute for ever.
  let state = COOL;
  let changes = 0;
  const hours = 24;
  for (let now = 0; now < hours * 3_600_000; now += SAMPLE_MS) {
    const next = govern(state, at(levelOf(state.heat) === "normal" ? 75 : 50), rules, now);
    changes += next.changes.length;
    state = next.state;
  }
  assert.ok(changes <= hours * 2 * 4, `${changes} changes in a day`);
});
