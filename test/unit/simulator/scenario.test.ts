import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isMusterError } from "@muster/shared/errors";
import { layOut } from "../../simulator/fleet/layout.ts";
import { choose } from "../../simulator/scenario/choice.ts";
import { check, type DeviceTruth, type Observation } from "../../simulator/scenario/expect.ts";
import {
  consistent,
  type Expectation,
  readScenario,
  type Scenario,
} from "../../simulator/scenario/schema.ts";
import { timelineOf } from "../../simulator/scenario/timeline.ts";

const SHIPPED = fileURLToPath(new URL("../../../simulator/scenarios/", import.meta.url));
const RELEASES = [{ name: "detector", version: "1.0.0" }];
const rollout = { kind: "rollout", at: 1, rollout: "up", plan: { release: RELEASES[0]! } } as const;
const scenario = (more: Partial<Scenario>): Scenario => ({
  schema: "muster.scenario/1",
  description: "",
  limitSeconds: 10,
  releases: RELEASES,
  events: [],
  expect: [],
  ...more,
});

test("every shipped scenario can be read", async () => {
  const files = readdirSync(SHIPPED);
  assert.ok(files.length >= 7);
  for (const file of files) assert.ok((await readScenario(`${SHIPPED}${file}`)).expect.length > 0, file);
});

test("a scenario that names what it does not have is refused", () => {
  const broken: [Partial<Scenario>, RegExp][] = [
    [{ events: [{ ...rollout, plan: { release: { name: "detector", version: "9" } } }] }, /detector@9/],
    [{ events: [rollout, rollout] }, /two rollouts/],
    [{ events: [{ ...rollout, at: 11 }] }, /beyond limitSeconds/],
    [{ events: [{ kind: "operator", at: 1, rollout: "up", action: "pause" }] }, /not created before/],
    [
      { events: [rollout, { kind: "operator", at: 0, rollout: "up", action: "pause" }] },
      /not created before/,
    ],
    [{ expect: [{ kind: "rollout", rollout: "up", state: "completed" }] }, /No event creates/],
    [{ expect: [{ kind: "running", release: "detector@2" }] }, /detector@2/],
    [{ events: [{ kind: "bad-release", at: 0, release: "detector@2", fault: "dies" }] }, /detector@2/],
  ];
  for (const [more, message] of broken)
    assert.throws(
      () => consistent(scenario(more)),
      (error) => isMusterError(error, "scenario.invalid") && message.test(error.message),
    );
});

test("a file that is missing or no scenario is refused with its name", async () => {
  for (const file of ["/nowhere.json", fileURLToPath(import.meta.url)])
    await assert.rejects(
      readScenario(file),
      (error) => isMusterError(error, "scenario.invalid") && error.message.startsWith(file),
    );
});

test("what ends at a moment ends before anything begins", () => {
  const moments = timelineOf([
    { kind: "reconnect-storm", at: 5 },
    { kind: "site-outage", at: 2, for: 3 },
    { kind: "site-outage", at: 1 },
  ]);
  assert.deepEqual(
    moments.map(({ at, edge, index }) => `${at} ${edge} ${index}`),
    ["1 begin 2", "2 begin 1", "5 end 1", "5 begin 0"],
  );
});

test("a choice means the devices that match all of it, the same ones for the same seed", () => {
  const { devices } = layOut(400, 20, 1);
  assert.equal(choose(devices, {}, 1).length, 400);
  const sites = new Set(choose(devices, { sites: 3 }, 1).map(({ site }) => site));
  assert.equal(sites.size, 3);
  assert.ok(choose(devices, { site: "eu/de" }, 1).every(({ site }) => site.startsWith("eu/de/")));
  assert.equal(choose(devices, { class: "linux-arm64-cuda" }, 1).length, 60);
  assert.equal(choose(devices, { class: "linux-arm64-cuda", percent: 1 }, 1).length, 1);
  assert.equal(choose(devices, { percent: 50, count: 7 }, 1).length, 7);
  assert.equal(choose(devices, { label: "ring=early" }, 1).length, 20);
  assert.deepEqual(choose(devices, { count: 9 }, 4), choose(devices, { count: 9 }, 4));
  assert.notDeepEqual(choose(devices, { count: 9 }, 4), choose(devices, { count: 9 }, 5));
});

test("expectations say what they found", () => {
  const { devices } = layOut(10, 2, 1);
  const truth = devices.map(
    (profile, index): DeviceTruth => ({
      profile,
      online: index > 0,
      running: index < 4 ? "detector@1.0.0" : null,
      visited: new Set(["detector@1.0.0"]),
      refused: index === 2 ? "directive.expired" : null,
    }),
  );
  const seen: Observation = {
    devices: truth,
    rollouts: new Map([["up", { state: "reverted", reason: "Wave 1 was bad." }]]),
    liveness: { online: 9, offline: 1 },
    records: { produced: 5, acknowledged: 5 },
    results: { produced: 4, stored: 3 },
  };
  const table: [Expectation, boolean, RegExp][] = [
    [{ kind: "online" }, false, /9 of 10 devices are online/],
    [{ kind: "online", atLeast: 9 }, true, /9 of 10/],
    [{ kind: "running", release: "detector@1.0.0", percentAtMost: 40 }, true, /4 of 10/],
    [{ kind: "running", release: "detector@1.0.0", percentAtLeast: 41 }, false, /4 of 10/],
    [{ kind: "visited", release: "detector@1.0.0" }, true, /10 of 10/],
    [{ kind: "visited", release: "detector@1.0.0", atMost: 0 }, false, /10 of 10/],
    [{ kind: "refused", code: "directive.expired", atLeast: 1, atMost: 1 }, true, /1 of 10/],
    [{ kind: "liveness", liveness: "offline", atMost: 0 }, false, /1 of 10 devices offline/],
    [{ kind: "rollout", rollout: "up", state: "completed" }, false, /is reverted: Wave 1 was bad/],
    [{ kind: "nothing-lost" }, false, /3 of 4 results/],
  ];
  for (const [expectation, held, found] of table) {
    const checked = check(expectation, seen, 1);
    assert.equal(checked.held, held, JSON.stringify(expectation));
    assert.match(checked.found, found);
  }
});
