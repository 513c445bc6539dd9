import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type {
  DeviceList,
  DeviceResource,
  FleetResource,
  Timeline,
} from "@muster/control-plane/api/schemas/fleet";
import type { RolloutResource } from "@muster/control-plane/api/schemas/rollouts";
import type { SelectionResource } from "@muster/control-plane/api/schemas/selections";
import type { StatusResource } from "@muster/control-plane/api/schemas/status";
import type { SiteList } from "@muster/control-plane/api/schemas/targeting";
import type { TokenList } from "@muster/control-plane/api/schemas/tokens";
import type { Problem } from "@muster/shared/protocol/device-api";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const BOXES = ["eu/berlin:press-1", "eu/berlin:press-2", "eu/paris:press-1", "us/austin:robot-a"];

describe("operator resources", () => {
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

  const get = async <T>(path: string): Promise<T> => {
    const response = await plane.call("GET", path);
    assert.equal(response.status, 200, path);
    return (await response.json()) as T;
  };
  const rollout = async (id: string) => await get<RolloutResource>(`/rollouts/${id}`);

  it("tells version, addresses and trust, and no secret", async () => {
    const status = await get<StatusResource>("/status");
    assert.equal(status.deviceUrl, plane.ready.deviceUrl);
    assert.equal(status.mqttUrl, plane.ready.mqttUrl);
    assert.equal(status.trust.initialized, true);
    assert.equal(status.trust.targetsVersion, 4);
    assert.doesNotMatch(
      JSON.stringify([status, await get("/tokens"), await get("/operators")]),
      /secret|hash/i,
    );
  });

  it("pages through devices in a stable order and filters them", async () => {
    const names: string[] = [];
    let cursor = "";
    do {
      const page: DeviceList = await get(`/devices?limit=1${cursor}`);
      names.push(...page.devices.map(({ site, name }) => `${site}:${name}`));
      cursor = page.next === null ? "" : `&cursor=${encodeURIComponent(page.next)}`;
    } while (cursor !== "");
    assert.deepEqual(names, BOXES);
    const count = async (query: string) => (await get<DeviceList>(`/devices?${query}`)).devices.length;
    assert.equal(await count("site=eu"), 3);
    assert.equal(await count("site=eu/berlin&text=press-2"), 1);
    assert.equal(await count("liveness=online"), 4);
    assert.equal(await count("status=revoked"), 0);
    const { sites } = await get<SiteList>("/sites");
    assert.equal(sites.find(({ site }) => site === "eu")?.devices, 3);
  });

  it("finds a device by id, by name and by site and name; an ambiguous name is a conflict", async () => {
    const robot = await get<DeviceResource>("/devices/robot-a");
    assert.equal((await get<DeviceResource>(`/devices/${robot.id}`)).name, "robot-a");
    assert.equal((await get<DeviceResource>("/devices/eu%2Fparis%2Fpress-1")).site, "eu/paris");
    const both = await plane.call("GET", "/devices/press-1");
    assert.equal(both.status, 409);
    assert.match(((await both.json()) as Problem).detail, /several devices/);
  });

  it("changes labels and name, each alone, and keeps names unique within a site", async () => {
    const change = async (path: string, body: unknown) => await plane.call("PATCH", `/devices/${path}`, body);
    assert.equal((await change("press-2", { labels: { ring: "canary", line: "b" } })).status, 200);
    assert.equal((await change("press-2", { labels: { line: null } })).status, 200);
    const renamed = await change("press-2", { name: "press-two" });
    const device = (await renamed.json()) as DeviceResource;
    assert.equal(device.name, "press-two");
    assert.deepEqual(device.labels, { ring: "canary" });
    const taken = await change("press-two", { name: "press-1" });
    assert.equal(((await taken.json()) as Problem).code, "request.conflict");
  });

  it("says what a plan selects without storing it, then carries it out to the end", async () => {
    const plan = {
      release: { name: "line-config", version: "1.0.0" },
      selector: "site=eu",
      waves: [{ selector: "ring=canary" }],
      gate: { soakSeconds: 0 },
    };
    const dry = await plane.call("POST", "/rollouts?dryRun=true", plan);
    assert.equal(dry.status, 200);
    const selection = (await dry.json()) as SelectionResource;
    assert.deepEqual(
      selection.waves.map(({ devices }) => devices.length),
      [1, 2],
    );
    assert.deepEqual((await get<{ rollouts: unknown[] }>("/rollouts")).rollouts, []);

    const created = await plane.call("POST", "/rollouts", plan);
    assert.equal(created.status, 201);
    const { id, state } = (await created.json()) as RolloutResource;
    assert.equal(state, "draft");
    assert.equal((await plane.call("POST", `/rollouts/${id}/pause`)).status, 409);
    assert.equal((await plane.call("POST", `/rollouts/${id}/start`)).status, 200);
    await until(async () => (await rollout(id)).state === "completed");
    const fleet = await get<FleetResource>("/fleet");
    assert.equal(fleet.releases.find(({ release }) => release?.version === "1.0.0")?.devices, 3);
    const { events } = await get<{ events: { seq: number }[] }>(`/rollouts/${id}/events`);
    const { events: later } = await get<{ events: { seq: number }[] }>(`/rollouts/${id}/events?after=2`);
    assert.equal(later.length, events.length - 2);
    const { devices } = await get<{ devices: { situation: string }[] }>(`/rollouts/${id}/devices`);
    assert.deepEqual([...new Set(devices.map(({ situation }) => situation))], ["succeeded"]);
  });

  it("pauses, aborts and reverts with the reason in the events", async () => {
    const plan = {
      release: { name: "line-config", version: "2.0.0" },
      selector: "site=eu",
      waves: [{ count: 1 }],
      gate: { soakSeconds: 3600 },
    };
    const { id } = (await (await plane.call("POST", "/rollouts", plan)).json()) as RolloutResource;
    await plane.call("POST", `/rollouts/${id}/start`);
    await until(async () => (await rollout(id)).counts.succeeded === 1);
    const paused = await plane.call("POST", `/rollouts/${id}/pause`, { reason: "lunch" });
    assert.equal(((await paused.json()) as RolloutResource).state, "paused");
    assert.equal((await plane.call("POST", `/rollouts/${id}/resume`, {})).status, 200);
    assert.equal(
      (await plane.call("POST", `/rollouts/${id}/revert`, { reason: "second thoughts" })).status,
      200,
    );
    await until(async () => (await rollout(id)).state === "reverted");
    const text = JSON.stringify(await get(`/rollouts/${id}/events`));
    assert.match(text, /lunch/);
    assert.match(text, /second thoughts/);
  });

  it("revokes a device for good; its own timeline stays readable", async () => {
    const path = "/devices/robot-a";
    const revoked = await plane.call("POST", `${path}/revoke`, { reason: "stolen" });
    const device = (await revoked.json()) as DeviceResource;
    assert.equal(device.status, "revoked");
    assert.equal(device.revoked?.reason, "stolen");
    assert.ok(Array.isArray((await get<Timeline>(`${path}/timeline?limit=5`)).entries));
    assert.equal((await get<FleetResource>("/fleet")).revoked, 1);
  });

  it("lists tokens with what is left of them, and revokes one", async () => {
    const { tokens } = await get<TokenList>("/tokens");
    assert.deepEqual([...new Set(tokens.map(({ state }) => state))], ["spent"]);
    const created = await plane.call("POST", "/tokens", { site: "eu", uses: 5, labels: { ring: "a" } });
    const { id } = (await created.json()) as { id: string };
    const revoked = (await (await plane.call("DELETE", `/tokens/${id}`)).json()) as { state: string };
    assert.equal(revoked.state, "revoked");
  });

  it("describes itself as OpenAPI 3.1 with a body and an answer for each route", async () => {
    const description = await get<{
      openapi: string;
      paths: Record<string, Record<string, { responses: object }>>;
    }>("/openapi.json");
    assert.equal(description.openapi, "3.1.0");
    for (const [path, methods] of Object.entries(description.paths))
      for (const [method, { responses }] of Object.entries(methods))
        assert.ok(Object.keys(responses).length > 0, `${method} ${path}`);
  });

  it("keeps operators, devices and rollouts over a power cut", async () => {
    const before = await get<DeviceList>("/devices");
    plane = await plane.restart("SIGKILL");
    const now = await get<DeviceList>("/devices");
    assert.deepEqual(
      now.devices.map(({ id }) => id),
      before.devices.map(({ id }) => id),
    );
  });
});
