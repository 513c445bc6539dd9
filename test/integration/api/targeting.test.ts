import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { DeviceList, DeviceResource, Relabelling } from "@muster/control-plane/api/schemas/fleet";
import type { GroupList, GroupResource, SiteResource } from "@muster/control-plane/api/schemas/targeting";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const BOXES = ["eu/berlin:press-1", "eu/berlin:press-2", "eu/paris:press-1", "us/austin:robot-a"];
const night = { days: ["mon", "tue"], from: "02:00", to: "05:00" };

describe("targeting", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  before(async () => {
    plane = await TestControlPlane.start();
    scene = await setScene(plane, BOXES);
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await plane.call(method, path, body);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const selected = async (selector: string) => {
    const path = `/devices?selector=${encodeURIComponent(selector)}`;
    return (await ask<DeviceList>("GET", path)).devices.map(({ site, name }) => `${site}:${name}`);
  };

  it("states settings of a site, which those below inherit", async () => {
    const eu = { labels: { region: "eu" }, timeZone: "Europe/Paris", windows: [night] };
    await ask("PUT", "/sites/eu", eu);
    const berlin = await ask<SiteResource>("PATCH", "/sites/eu/berlin", {
      timeZone: "Europe/Berlin",
      uplinkKbps: 2000,
      labels: { ring: "early" },
    });
    assert.equal(berlin.devices, 2);
    assert.deepEqual(berlin.settings, {
      labels: { ring: "early" },
      timeZone: "Europe/Berlin",
      uplinkKbps: 2000,
      windows: null,
    });
    assert.deepEqual(berlin.effective, {
      labels: { region: "eu", ring: "early" },
      timeZone: "Europe/Berlin",
      uplinkKbps: 2000,
      windows: [night],
    });
    const { sites } = await ask<{ sites: SiteResource[] }>("GET", "/sites");
    assert.deepEqual(
      sites.map(({ site, effective }) => [site, effective.timeZone]),
      [
        ["eu", "Europe/Paris"],
        ["eu/berlin", "Europe/Berlin"],
        ["eu/paris", "Europe/Paris"],
        ["us", "UTC"],
        ["us/austin", "UTC"],
      ],
    );
    assert.deepEqual(await selected("region=eu,ring!=early"), ["eu/paris:press-1"]);
    const device = await ask<DeviceResource>("GET", "/devices/eu%2Fberlin%2Fpress-1");
    assert.deepEqual([device.labels, device.inheritedLabels], [{}, { region: "eu", ring: "early" }]);
  });

  it("takes a setting, then all of them, back", async () => {
    const changed = await ask<SiteResource>("PATCH", "/sites/eu/berlin", { timeZone: null, windows: [] });
    assert.equal(changed.effective.timeZone, "Europe/Paris");
    assert.deepEqual(changed.effective.windows, []);
    await ask("DELETE", "/sites/eu/berlin");
    const cleared = await ask<SiteResource>("GET", "/sites/eu/berlin");
    assert.deepEqual(cleared.settings, { labels: {}, timeZone: null, uplinkKbps: null, windows: null });
    await ask("PUT", "/sites/asia/osaka", { timeZone: "Asia/Tokyo" });
    assert.equal((await ask<SiteResource>("GET", "/sites/asia")).devices, 0);
    await ask("PUT", "/sites/asia/osaka", {});
    assert.equal((await plane.call("GET", "/sites/asia/osaka")).status, 404);
  });

  it("saves groups and says who is in them as things stand", async () => {
    const made = await ask<GroupResource>("POST", "/groups", { name: "presses", selector: "name = press-1" });
    assert.deepEqual([made.selector, made.devices, made.offline], ["name=press-1", 2, 0]);
    const again = await plane.call("POST", "/groups", { name: "presses", selector: "" });
    assert.equal(((await again.json()) as Problem).code, "request.conflict");
    assert.deepEqual(await selected("group=presses,site=eu/paris"), ["eu/paris:press-1"]);
    const page = await ask<DeviceList>("GET", "/groups/presses/devices?limit=1");
    const next = await ask<DeviceList>("GET", `/groups/presses/devices?cursor=${page.next}`);
    assert.deepEqual(
      [...page.devices, ...next.devices].map(({ site }) => site),
      ["eu/berlin", "eu/paris"],
    );
    const device = await ask<DeviceResource>("GET", "/devices/eu%2Fparis%2Fpress-1");
    assert.deepEqual(device.groups, ["presses"]);
    await ask("PUT", "/groups/presses", { selector: "site=us", description: "robots, really" });
    const { groups } = await ask<GroupList>("GET", "/groups");
    assert.deepEqual(
      groups.map(({ name, devices, description }) => [name, devices, description]),
      [["presses", 1, "robots, really"]],
    );
  });

  it("keeps a group that an open rollout names, unless forced", async () => {
    const plan = { release: { name: "line-config", version: "1.0.0" }, selector: "group=presses" };
    const { id } = await ask<{ id: string }>("POST", "/rollouts", plan);
    const refused = await plane.call("DELETE", "/groups/presses");
    const problem = (await refused.json()) as Problem;
    assert.equal(problem.code, "request.conflict");
    assert.match(problem.detail, new RegExp(id));
    await ask("DELETE", "/groups/presses?force=true");
    const start = await plane.call("POST", `/rollouts/${id}/start`);
    assert.equal(((await start.json()) as Problem).code, "selector.invalid");
    const waves = { release: plan.release, waves: [{ selector: "group=presses" }] };
    const dry = await plane.call("POST", "/rollouts?dryRun=true", waves);
    assert.match(((await dry.json()) as Problem).detail, /no group presses/);
  });

  it("relabels many devices at once, after saying whom", async () => {
    const path = `/devices?selector=${encodeURIComponent("site=eu")}`;
    const dry = await ask<Relabelling>("PATCH", `${path}&dryRun=true`, { labels: { ring: "late" } });
    assert.deepEqual([dry.matched, dry.changed, dry.examples.length], [3, 3, 3]);
    assert.deepEqual(await selected("ring=late"), []);
    await ask<Relabelling>("PATCH", path, { labels: { ring: "late" } });
    assert.equal((await selected("ring=late")).length, 3);
    assert.equal((await ask<Relabelling>("PATCH", path, { labels: { ring: "late" } })).changed, 0);
    const none = await ask<Relabelling>("PATCH", path, { labels: { ring: null, other: null } });
    assert.equal(none.changed, 3);
    assert.deepEqual(await selected("ring"), []);
  });

  it("keeps sites and groups over a power cut", async () => {
    await ask("POST", "/groups", { name: "all", selector: "" });
    plane = await plane.restart("SIGKILL");
    assert.equal((await ask<SiteResource>("GET", "/sites/eu/paris")).effective.timeZone, "Europe/Paris");
    assert.equal((await ask<GroupResource>("GET", "/groups/all")).devices, 4);
  });
});
