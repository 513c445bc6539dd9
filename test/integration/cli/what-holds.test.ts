import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { RolloutResource } from "@muster/control-plane/api/schemas/rollouts";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

describe("what is going on, and why a device is not updated yet", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  let rollout: string;
  before(async () => {
    plane = await TestControlPlane.start();
    scene = await setScene(plane, ["eu/berlin:press-1", "eu/berlin:press-2", "us/austin:robot-a"]);
    await plane.json("freeze", "create", "--site", "eu", "--to", "+2h", "--reason", "incident 4711");
    await plane.json("site", "set", "us", "--time-zone", "America/Chicago", "--window", "02:00-02:00");
    const created = ["rollout", "create", "--release", "line-config@2.0.0", "--wave", "site=eu", "--start"];
    rollout = (await plane.json<RolloutResource>(...created)).id;
    await until(async () => (await held()).freeze === 2);
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  const held = async () => (await plane.json<RolloutResource>("rollout", "status", rollout)).held;
  const said = async (...args: string[]): Promise<string> => (await plane.muster(args)).stdout;

  it("one rollout: how many are held, by what", async () => {
    const text = await said("rollout", "status", rollout);
    assert.match(text, /not told just now: 2 by a freeze/);
    assert.match(text, /0 of 2 devices have a known end; 0 at work, 2 not told yet, 0 offline/);
  });

  it("one device: which rollouts have it, and which freeze of whom holds it", async () => {
    const text = await said("device", "show", "press-1");
    const why = "waiting, held by the freeze \\S+ at eu by \\S+, ends in 2 h: incident 4711";
    assert.match(
      text,
      new RegExp(`rollouts +${rollout} to line-config 2\\.0\\.0 \\(running\\): wave 1, ${why}`),
    );
    assert.match(await said("device", "show", "robot-a"), /wave 2, waiting, wave 1 is open/);
    const { rollouts } = await plane.json<{ rollouts: { held: string }[] }>("device", "show", "press-1");
    assert.deepEqual([rollouts.length, rollouts[0]?.held], [1, "freeze"]);
  });

  it("each device of a rollout, and those of one site", async () => {
    const text = await said("rollout", "devices", rollout);
    assert.match(
      text,
      /DEVICE +SITE +WAVE +IS\n(press-\d +eu\/berlin +1 +waiting, held by the freeze .*\n){2}robot-a /,
    );
    const there = await plane.json<{ name: string }[]>("rollout", "devices", rollout, "--site", "us");
    assert.deepEqual(
      there.map(({ name }) => name),
      ["robot-a"],
    );
  });

  it("everything on one screen: what is under way, what holds it, and who said so", async () => {
    const text = await said("status");
    assert.match(text, new RegExp(`${rollout} +line-config 2\\.0\\.0 running, wave 1 of 2: 0/3 succeeded`));
    assert.match(text, /not told just now: 2 by a freeze/);
    assert.match(text, /Nothing new is told at eu: freeze \S+ by \S+, ends in 2 h: incident 4711/);
    assert.match(await said("site", "show", "eu/berlin"), /freeze +\S+ at eu by /);
  });

  it("a paused rollout says what may be done next, and its devices that it is paused", async () => {
    await plane.json("rollout", "pause", rollout, "--reason", "odd");
    assert.match(
      await said("rollout", "status", rollout),
      new RegExp(`next: muster rollout resume ${rollout}, or skip-wave --wave 1, revert, abort`),
    );
    assert.match(await said("device", "show", "press-1"), /wave 1, waiting, the rollout is paused/);
    assert.match(await said("status"), /paused, wave 1 of 2.*\n +\S+ paused the rollout: odd\./);
    await plane.json("rollout", "revert", rollout);
  });

  it("a site that is misspelt is pointed out", async () => {
    const freeze = await plane.muster([
      "freeze",
      "create",
      "--site",
      "eu/berln",
      "--to",
      "+1h",
      "--reason",
      "r",
    ]);
    assert.match(freeze.stderr, /no device is at eu\/berln or below it now/);
    const site = await plane.muster(["site", "set", "eu/berln", "--uplink", "100"]);
    assert.match(site.stderr, /no device is at eu\/berln or below it now/);
  });
});
