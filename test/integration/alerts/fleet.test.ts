import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { AlertList } from "@muster/control-plane/api/schemas/alerts";
import { Hook } from "../../support/alerts/hook.ts";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const SETTINGS = ["--set", "alertEvaluationMs=100", "--set", "willGraceMs=1"];

const OWN: ReadonlySet<string> = new Set(["gone", "disk", "ends", "root", "full"]);

describe("alerts of a real fleet", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  let hook: Hook;
  before(async () => {
    plane = await TestControlPlane.start(...SETTINGS);
    scene = await setScene(plane, ["eu/berlin:press-1", "eu/berlin:press-2", "us/austin:robot-a"]);
    hook = await new Hook().open();
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
    await hook?.close();
  });

  const put = async (path: string, body: unknown) => {
    const response = await plane.call("PUT", path, body);
    assert.equal(response.status, 200, await response.text());
  };
  /** Of the rules of this test. */
  const firing = async () => {
    const answer = await plane.call("GET", "/alerts?state=firing");
    return ((await answer.json()) as AlertList).alerts.filter(({ rule }) => OWN.has(rule));
  };

  it("tell of devices whose uplink broke, of the control plane, and still know it after a kill", async () => {
    await put("/alert-receivers/ops", {
      webhook: { url: hook.url },
      groupWaitSeconds: 0,
      groupIntervalSeconds: 1,
      selector: "rule in (gone,disk)",
    });
    await put("/alert-rules/gone", { signal: "offline", above: 0, groupBy: "site", minPercent: 100 });
    await put("/alert-rules/disk", { signal: "diskFreePercent", below: 101 });
    await put("/alert-rules/ends", { signal: "serverCertificateDaysLeft", below: 10_000 });
    await put("/alert-rules/root", { signal: "trustDaysLeft", below: 100_000 });
    await put("/alert-rules/full", { signal: "ingestQueuePercent", above: 100 });
    for (const box of scene.boxes) box.cut();
    await until(async () => (await firing()).length === 5);
    const alerts = await firing();
    assert.deepEqual(alerts.map(({ rule, place }) => `${rule} ${place.site ?? ""}`).sort(), [
      "disk ",
      "ends ",
      "gone eu/berlin",
      "gone us/austin",
      "root ",
    ]);
    assert.equal(alerts.find(({ place }) => place.site === "eu/berlin")?.breaching, 2);
    await until(() => new Set(hook.posts.flatMap(({ body }) => body.firing.map(({ id }) => id))).size === 3);

    plane = await plane.restart("SIGKILL", ...SETTINGS);
    await until(async () => (await firing()).length === 5);
    const known = new Set(alerts.map(({ id }) => id));
    assert.ok(
      (await firing()).every(({ id }) => known.has(id)),
      "the same alerts",
    );
    await plane.call("DELETE", "/alert-rules/disk");
    await until(() => hook.posts.some(({ body }) => body.resolved.some(({ rule }) => rule === "disk")));
    const ends = hook.posts.flatMap(({ body }) => body.resolved.map(({ rule }) => rule));
    assert.deepEqual(ends, ["disk"], "and no end is told of the others");
  });
});
