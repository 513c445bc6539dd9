import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Alert } from "@muster/control-plane/alerts/alert";
import { BUILT_IN_RULES } from "@muster/control-plane/alerts/built-in-rules";
import { type Judgement, judge, UNKNOWN_LIMIT_MS, withoutAbsence } from "@muster/control-plane/alerts/engine";
import { type AlertRule, completeRule, requireNoCircle } from "@muster/control-plane/alerts/rule";
import type { Reading } from "@muster/control-plane/alerts/tally";
import fc from "fast-check";

const RULE = completeRule("hot", {
  signal: "temperatureC",
  above: 90,
  forSeconds: 60,
  keepFiringSeconds: 120,
});

const reading = (value: number | undefined): Reading => ({
  place: { device: "d1", name: "press-1", site: "eu", hardwareClass: "x", rollout: null },
  known: value === undefined ? 0 : 1,
  breaching: value !== undefined && value > 90 ? 1 : 0,
  worst: value ?? 0,
  examples: ["press-1"],
  about: "",
});

const HOT = reading(95);
const COOL = reading(50);
const UNKNOWN = reading(undefined);

let made = 0;
const newId = () => `a${++made}`;

/** Goes through readings a step of seconds at a time and answers the changes that were more than none. */
function walk(rule: AlertRule, steps: readonly (readonly [at: number, what: Reading | undefined])[]) {
  let alert: Alert | undefined;
  const changes: string[] = [];
  let last: Judgement | undefined;
  for (const [at, what] of steps) {
    last = judge(rule, "d1", what, alert, at * 1000, newId);
    if (last && last.change !== "unchanged") changes.push(`${at} ${last.change}`);
    alert = last && last.change !== "resolved" && last.change !== "dropped" ? last.alert : undefined;
  }
  return { changes, alert, last };
}

describe("states of an alert", () => {
  const table: [what: string, rule: AlertRule, steps: [number, Reading | undefined][], changes: string[]][] =
    [
      [
        "stays quiet below the limit",
        RULE,
        [
          [0, COOL],
          [60, COOL],
        ],
        [],
      ],
      [
        "knows nothing of what is not known",
        RULE,
        [
          [0, UNKNOWN],
          [90, UNKNOWN],
        ],
        [],
      ],
      [
        "waits for as long as the rule says",
        RULE,
        [
          [0, HOT],
          [59, HOT],
          [60, HOT],
        ],
        ["0 pending", "60 firing"],
      ],
      [
        "forgets a pending one that recovers",
        RULE,
        [
          [0, HOT],
          [30, COOL],
          [60, HOT],
          [90, HOT],
        ],
        ["0 pending", "30 dropped", "60 pending"],
      ],
      ["fires at once without a wait", { ...RULE, forSeconds: 0 }, [[0, HOT]], ["0 firing"]],
      [
        "keeps firing through a short calm",
        RULE,
        [
          [0, HOT],
          [60, HOT],
          [70, COOL],
          [100, HOT],
          [200, HOT],
        ],
        ["0 pending", "60 firing", "70 updated", "100 updated"],
      ],
      [
        "is resolved when the calm lasts",
        RULE,
        [
          [0, HOT],
          [60, HOT],
          [70, COOL],
          [189, COOL],
          [190, COOL],
        ],
        ["0 pending", "60 firing", "70 updated", "190 resolved"],
      ],
      [
        "is not resolved by silence",
        RULE,
        [
          [0, HOT],
          [60, HOT],
          [70, UNKNOWN],
          [3000, UNKNOWN],
          [3010, HOT],
        ],
        ["0 pending", "60 firing", "70 updated", "3010 updated"],
      ],
      [
        "does not fire on silence, and keeps its beginning",
        RULE,
        [
          [0, HOT],
          [30, UNKNOWN],
          [90, UNKNOWN],
          [91, HOT],
        ],
        ["0 pending", "30 updated", "91 firing"],
      ],
      [
        "ends with its subject",
        RULE,
        [
          [0, HOT],
          [60, HOT],
          [61, undefined],
        ],
        ["0 pending", "60 firing", "61 resolved"],
      ],
      [
        "a pending one vanishes with its subject",
        RULE,
        [
          [0, HOT],
          [1, undefined],
        ],
        ["0 pending", "1 dropped"],
      ],
      [
        "survives a clock that was set back",
        RULE,
        [
          [1000, HOT],
          [10, HOT],
          [70, HOT],
        ],
        ["1000 pending", "10 updated", "70 firing"],
      ],
    ];
  for (const [what, rule, steps, changes] of table)
    it(what, () => assert.deepEqual(walk(rule, steps).changes, changes));

  it("does not count the time in which nobody looked", () => {
    const pending = walk(RULE, [[10, HOT]]).alert!;
    const at = (from: number, to: number) => withoutAbsence(pending, from * 1000, to * 1000).since / 1000;
    assert.deepEqual([at(20, 3600), at(5, 3600), at(20, 20), at(1, 5)], [3590, 3600, 10, 10]);
    const calm = walk(RULE, [
      [0, HOT],
      [60, HOT],
      [70, COOL],
    ]).alert!;
    const moved = withoutAbsence(calm, 80_000, 980_000);
    assert.deepEqual([moved.since, moved.quietSince], [0, 970_000]);
    const firing = walk(RULE, [
      [0, HOT],
      [60, HOT],
    ]).alert!;
    assert.equal(withoutAbsence(firing, 80_000, 980_000), firing);
  });

  it("gives up on a signal of which nothing is heard for a day", () => {
    const day = UNKNOWN_LIMIT_MS / 1000;
    const { changes, last } = walk(RULE, [
      [0, HOT],
      [60, HOT],
      [61, UNKNOWN],
      [60 + day, UNKNOWN],
      [61 + day, UNKNOWN],
    ]);
    assert.deepEqual(changes, ["0 pending", "60 firing", "61 updated", `${61 + day} resolved`]);
    assert.equal(last?.alert.resolvedReason, "unknown");
  });

  it("says what is wrong with figures, and keeps them in the calm after", () => {
    const { alert } = walk({ ...RULE, summary: "{subject} is {value} hot, limit {threshold}." }, [
      [0, HOT],
      [60, HOT],
      [70, COOL],
    ]);
    assert.equal(alert?.summary, "press-1 at eu is 95 °C hot, limit 90 °C.");
    assert.equal(alert?.value, 95);
  });
});

describe("states of an alert, for any course", () => {
  const course = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 90 }), fc.constantFrom(HOT, COOL, UNKNOWN, undefined)),
    { maxLength: 60 },
  );

  it("fires only after the condition was seen for long enough, and every episode ends once", () => {
    fc.assert(
      fc.property(course, (steps) => {
        let alert: Alert | undefined;
        let at = 0;
        const fired = new Set<string>();
        const resolved = new Set<string>();
        for (const [wait, what] of steps) {
          at += wait * 1000;
          const judgement = judge(RULE, "d1", what, alert, at, newId);
          if (judgement?.change === "firing") {
            assert.ok(!fired.has(judgement.alert.id), "fires once");
            assert.equal(what, HOT, "only on what is known");
            assert.ok(at - judgement.alert.since >= 60_000);
            fired.add(judgement.alert.id);
          }
          if (judgement?.change === "resolved") {
            assert.ok(fired.has(judgement.alert.id) && !resolved.has(judgement.alert.id));
            resolved.add(judgement.alert.id);
          }
          const isOver = judgement?.change === "resolved" || judgement?.change === "dropped";
          alert = isOver ? undefined : judgement?.alert;
        }
        assert.ok(fired.size - resolved.size <= 1);
      }),
    );
  });

  it("is the same after a restart at any moment: nothing is kept but the alert", () => {
    fc.assert(
      fc.property(course, (steps) => {
        const run = (restarts: boolean) => {
          let count = 0;
          let alert: Alert | undefined;
          let at = 0;
          const seen: unknown[] = [];
          for (const [wait, what] of steps) {
            at += wait * 1000;
            if (restarts && alert) alert = JSON.parse(JSON.stringify(alert)) as Alert;
            const judgement = judge(RULE, "d1", what, alert, at, () => `b${++count}`);
            seen.push(judgement);
            const isOver = judgement?.change === "resolved" || judgement?.change === "dropped";
            alert = isOver ? undefined : judgement?.alert;
          }
          return JSON.stringify(seen);
        };
        assert.equal(run(true), run(false));
      }),
    );
  });
});

describe("rules", () => {
  it("may not mute each other in a circle", () => {
    const rule = (name: string, ...mutes: string[]) =>
      completeRule(name, { signal: "crashes", above: 1, mutes });
    const others = [rule("b", "c"), rule("c", "a", "d"), rule("d", "b")];
    assert.throws(() => requireNoCircle(rule("a", "b"), others), { message: /a, b, c, a/ });
    assert.throws(() => requireNoCircle(rule("a", "a"), []), { code: "alert.rule-invalid" });
    requireNoCircle(rule("a"), others);
    for (const each of BUILT_IN_RULES) requireNoCircle(each, BUILT_IN_RULES);
  });

  const wrong: [string, Parameters<typeof completeRule>[1]][] = [
    ["neither limit", { signal: "crashes" }],
    ["both limits", { signal: "crashes", above: 1, below: 2 }],
    ["a selector on the control plane", { signal: "diskFreePercent", below: 10, selector: "site=eu" }],
    ["a site of the control plane", { signal: "diskFreePercent", below: 10, groupBy: "site" }],
    ["devices by rollout", { signal: "crashes", above: 1, groupBy: "rollout" }],
    ["an unknown placeholder", { signal: "crashes", above: 1, summary: "{devcie} is ill" }],
    ["a broken selector", { signal: "crashes", above: 1, selector: "site=(" }],
  ];
  for (const [what, input] of wrong)
    it(`refuses ${what}`, () =>
      assert.throws(() => completeRule("r", input), { code: /^(alert\.rule-invalid|selector\.invalid)$/ }));
});
