import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Alert } from "@muster/control-plane/alerts/alert";
import { BUILT_IN_RULES } from "@muster/control-plane/alerts/built-in-rules";
import { judge } from "@muster/control-plane/alerts/engine";
import { Mutes } from "@muster/control-plane/alerts/muting";
import { type AlertRule, completeRule } from "@muster/control-plane/alerts/rule";
import type { Silence } from "@muster/control-plane/alerts/silence";
import { Tally } from "@muster/control-plane/alerts/tally";
import { deviceAt, ScriptedFleet } from "../../support/alerts/scripted-fleet.ts";

const MINUTE = 60_000;

/** The engine without its storage: one look at the fleet after another. */
class Watch {
  readonly active = new Map<string, Alert>();
  readonly fleet: ScriptedFleet;
  readonly rules: readonly AlertRule[];
  #made = 0;

  constructor(fleet: ScriptedFleet, rules: readonly AlertRule[]) {
    this.fleet = fleet;
    this.rules = rules;
  }

  look(now: number): void {
    const followed = new Map<string, Set<string>>();
    for (const { rule, group } of this.active.values())
      followed.set(rule, (followed.get(rule) ?? new Set()).add(group));
    const tally = new Tally(this.rules, followed);
    for (const device of this.fleet.devices()) tally.addDevice(device);
    for (const rollout of this.fleet.rollouts()) tally.addRollout(rollout);
    tally.addControlPlane(this.fleet.controlPlane());
    for (const rule of this.rules) {
      const readings = tally.readingsOf(rule.name);
      const groups = new Set([...readings.keys(), ...(followed.get(rule.name) ?? [])]);
      for (const group of groups) {
        const key = `${rule.name} ${group}`;
        const judgement = judge(
          rule,
          group,
          readings.get(group),
          this.active.get(key),
          now,
          () => `a${++this.#made}`,
        );
        if (!judgement || judgement.change === "resolved" || judgement.change === "dropped")
          this.active.delete(key);
        else this.active.set(key, judgement.alert);
      }
    }
  }

  lookUntil(from: number, to: number): void {
    for (let now = from; now <= to; now += 15_000) this.look(now);
  }

  firing(): string[] {
    return [...this.active.values()]
      .filter(({ state }) => state === "firing")
      .map(({ rule, group }) => `${rule} ${group}`)
      .sort();
  }

  audible(silences: readonly Silence[] = []): string[] {
    const mutes = new Mutes(this.rules, this.active.values(), silences, this.fleet);
    return [...this.active.values()]
      .filter((alert) => alert.state === "firing" && mutes.of(alert) === undefined)
      .map(({ rule, group }) => `${rule} ${group}`)
      .sort();
  }
}

function plant(): ScriptedFleet {
  const fleet = new ScriptedFleet();
  for (let site = 0; site < 10; site += 1)
    for (let box = 0; box < 5; box += 1)
      fleet.add(deviceAt(`d${site}${box}`, `eu/s${site}`, { line: box < 3 ? "a" : "b" }));
  return fleet;
}

const darken = (fleet: ScriptedFleet, site: number, boxes: number): void => {
  for (let box = 0; box < boxes; box += 1) fleet.set(`d${site}${box}`, { offline: 1 });
};

describe("a site that goes dark", () => {
  it("is one alert, and its devices are not told beside it", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    darken(fleet, 3, 5);
    watch.lookUntil(0, 30 * MINUTE);
    assert.equal(watch.firing().length, 6, "the site and its five devices");
    assert.deepEqual(watch.audible(), ["site-dark eu/s3"]);
    const alert = watch.active.get("site-dark eu/s3");
    assert.equal(alert?.summary, "Site eu/s3 is dark: 5 of 5 devices are offline.");
  });

  it("leaves the devices that stay away when the others are back", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    darken(fleet, 3, 5);
    watch.lookUntil(0, 30 * MINUTE);
    for (const box of [1, 2, 3, 4]) fleet.set(`d3${box}`, { offline: 0 });
    watch.lookUntil(30 * MINUTE, 33 * MINUTE);
    assert.deepEqual(watch.audible(), ["site-dark eu/s3"], "it may go dark again");
    watch.lookUntil(33 * MINUTE, 60 * MINUTE);
    assert.deepEqual(watch.audible(), ["device-offline d30"]);
  });

  it("is none where single devices are away, or where the site has but one", () => {
    const fleet = plant().add(deviceAt("alone", "eu/hut"), { offline: 1 });
    const watch = new Watch(fleet, BUILT_IN_RULES);
    darken(fleet, 3, 2);
    watch.lookUntil(0, 30 * MINUTE);
    assert.deepEqual(watch.audible(), ["device-offline alone", "device-offline d30", "device-offline d31"]);
  });

  it("is the fleet's where half of it is away", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    for (let site = 0; site < 5; site += 1) darken(fleet, site, 5);
    watch.lookUntil(0, 30 * MINUTE);
    assert.deepEqual(watch.audible(), ["fleet-dark "]);
  });

  it("is no news of a device that flaps", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    fleet.set("d00", { offline: 1, flapping: 1 });
    watch.lookUntil(0, 30 * MINUTE);
    assert.deepEqual(watch.firing(), ["device-flapping d00", "device-offline d00"]);
    assert.deepEqual(watch.audible(), ["device-flapping d00"]);
  });
});

describe("groups", () => {
  it("count shares of what is known only", () => {
    const rule = completeRule("r", {
      signal: "updateFailed",
      above: 0,
      groupBy: "site",
      minPercent: 50,
      minDevices: 2,
    });
    const fleet = plant();
    const watch = new Watch(fleet, [rule]);
    fleet.set("d00", { updateFailed: 1 });
    fleet.set("d01", { updateFailed: 1 });
    fleet.set("d02", { updateFailed: 0 });
    watch.look(0);
    assert.deepEqual(watch.firing(), ["r eu/s0"], "2 of 3; of the other two nothing is known");
    assert.equal(watch.active.get("r eu/s0")?.members, 3);
  });

  it("look at selected devices only, and drop one that is not selected any more", () => {
    const rule = completeRule("r", { signal: "crashes", above: 0, selector: "line=a" });
    const fleet = plant();
    const watch = new Watch(fleet, [rule]);
    for (const id of ["d00", "d04"]) fleet.set(id, { crashes: 5 });
    watch.look(0);
    assert.deepEqual(watch.firing(), ["r d00"]);
    fleet.add(deviceAt("d00", "eu/s0", { line: "b" }), { crashes: 5 });
    watch.look(1);
    assert.deepEqual(watch.firing(), []);
  });

  it("take the least where the limit is below", () => {
    const rule = completeRule("r", {
      signal: "freeDiskMiB",
      below: 500,
      groupBy: "fleet",
      summary: "{value}: {examples}",
    });
    const fleet = plant();
    const watch = new Watch(fleet, [rule]);
    fleet.set("d00", { freeDiskMiB: 0 });
    fleet.set("d01", { freeDiskMiB: 400 });
    fleet.set("d02", { freeDiskMiB: 900 });
    watch.look(0);
    const alert = watch.active.get("r ");
    assert.deepEqual([alert?.value, alert?.breaching, alert?.members], [0, 2, 3]);
    assert.equal(alert?.summary, "0 MiB: name-d00, name-d01");
  });

  it("name each rollout, and forget it when it has ended", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    const rollout = { rollout: "r1", name: "r1 of line 1.1.0", about: "The gate of wave 2 is violated." };
    fleet.rolloutList = [{ ...rollout, signals: { rolloutPaused: 1, rolloutTurnedBack: 0 } }];
    watch.lookUntil(0, 3 * MINUTE);
    assert.deepEqual(watch.audible(), ["rollout-paused r1"]);
    assert.equal(
      watch.active.get("rollout-paused r1")?.summary,
      "Rollout r1 of line 1.1.0 is paused. The gate of wave 2 is violated.",
    );
    fleet.rolloutList = [];
    watch.look(4 * MINUTE);
    assert.deepEqual(watch.firing(), []);
  });

  it("leave the control plane alone where a figure is missing", () => {
    const fleet = plant();
    const watch = new Watch(fleet, BUILT_IN_RULES);
    watch.lookUntil(0, 20 * MINUTE);
    assert.deepEqual(watch.firing(), []);
    fleet.own = { diskFreePercent: 3, trustDaysLeft: 0.4, ingestQueuePercent: 80 };
    watch.lookUntil(20 * MINUTE, 40 * MINUTE);
    assert.deepEqual(watch.audible(), [
      "control-plane-disk-low ",
      "ingest-backlog ",
      "trust-metadata-expiring ",
    ]);
  });
});

describe("silences", () => {
  const silence = (selector: string): Silence => ({
    id: "s1",
    selector,
    from: 0,
    until: 1,
    reason: "works",
    createdBy: "alice",
    createdAt: 0,
  });

  const table: [selector: string, audible: string[]][] = [
    ["", []],
    ["site=eu", []],
    ["site=eu/s1", ["hot d00"]],
    ["line=a", ["site-hot eu/s1"]],
    ["rule=hot", ["site-hot eu/s1"]],
    ["severity=critical", ["hot d00"]],
    ["rule=hot,site=eu/s1", ["hot d00", "site-hot eu/s1"]],
    ["name=name-d00", ["site-hot eu/s1"]],
  ];
  for (const [selector, audible] of table)
    it(`"${selector}" leaves ${audible.join(" and ") || "nothing"}`, () => {
      const rules = [
        completeRule("hot", { signal: "temperatureC", above: 90, selector: "site=eu/s0" }),
        completeRule("site-hot", {
          signal: "temperatureC",
          above: 90,
          groupBy: "site",
          selector: "site=eu/s1",
          severity: "critical",
        }),
      ];
      const fleet = plant();
      fleet.set("d00", { temperatureC: 99 });
      fleet.set("d10", { temperatureC: 99 });
      const watch = new Watch(fleet, rules);
      watch.look(0);
      assert.deepEqual(watch.audible(), ["hot d00", "site-hot eu/s1"]);
      assert.deepEqual(watch.audible([silence(selector)]), audible);
    });
});
