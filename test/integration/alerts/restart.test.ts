import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { isMusterError, MusterError } from "@muster/shared/errors";
import { AlertDesk } from "../../support/alerts/desk.ts";
import { deviceAt } from "../../support/alerts/scripted-fleet.ts";

describe("what a restart keeps", () => {
  let desk: AlertDesk;
  beforeEach(async () => {
    desk = await AlertDesk.open();
  });
  afterEach(() => desk.close());

  const states = () => desk.alerts.active().map(({ rule, group, state }) => `${rule} ${group} ${state}`);

  it("a pending alert keeps its beginning, a firing one its id", async () => {
    for (const id of ["a0", "a1", "a2"]) desk.fleet.set(id, { offline: 1 });
    await desk.after(0);
    await desk.after(200);
    const before = desk.alerts.active();
    assert.ok(before.every(({ state }) => state === "pending"));
    await desk.restart();
    assert.deepEqual(
      desk.alerts.active().map(({ id, since }) => [id, since]),
      before.map(({ id, since }) => [id, since]),
    );
    await desk.after(100);
    assert.deepEqual(states()[0], "site-dark eu/a firing");
    await desk.restart();
    await desk.after(600);
    const dark = desk.alerts.active().find(({ rule }) => rule === "site-dark");
    assert.equal(dark?.id, before.find(({ rule }) => rule === "site-dark")?.id);
    const muted = desk.alerts.active().filter((alert) => alert.rule === "device-offline");
    assert.deepEqual(
      muted.map(({ muted: by }) => by?.id),
      [dark?.id, dark?.id, dark?.id],
    );
  });

  it("the outage of the control plane itself counts for no alert", async () => {
    for (const id of ["a0", "a1", "a2"]) desk.fleet.set(id, { offline: 1 });
    await desk.after(0);
    await desk.after(200);
    await desk.stop();
    desk.now += 7200_000;
    await desk.start(7200);
    await desk.after(15);
    assert.ok(desk.alerts.active().every(({ state }) => state === "pending"));
    await desk.restart();
    await desk.after(70);
    assert.ok(desk.alerts.active().every(({ state }) => state === "pending"));
    await desk.after(15);
    assert.equal(states()[0], "site-dark eu/a firing");
  });

  it("unknown signals after the restart resolve nothing", async () => {
    await desk.hotRule();
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    desk.fleet.set("a0", { offline: 0 });
    await desk.restart();
    await desk.after(600);
    assert.deepEqual(states(), ["hot a0 firing"]);
    desk.fleet.set("a0", { loadPerCore: 20 });
    await desk.after(15);
    assert.deepEqual(states(), []);
  });

  it("rules, silences and receivers with their secrets stay, and the secrets stay inside", async () => {
    await desk.hotRule();
    await desk.alerts.rules.set("device-offline", { signal: "offline", above: 0, enabled: false }, "alice");
    const silence = await desk.alerts.silences.add(
      { selector: "site=eu/a", reason: "works", seconds: 3600 },
      "alice",
    );
    await desk.receiver("ops", {
      webhook: { url: "http://127.0.0.1:9/", secret: "a-very-secret-key-1" },
      enabled: false,
    });
    await desk.restart();
    assert.equal(desk.alerts.rules.get("device-offline").changed?.by, "alice");
    assert.equal(desk.alerts.rules.get("device-offline").builtIn, true);
    assert.deepEqual(desk.alerts.silences.list(), [silence]);
    assert.doesNotMatch(JSON.stringify(await desk.alerts.receivers()), /a-very-secret-key/);
    assert.equal((await stat(join(desk.dir, "control.db"))).mode & 0o777, 0o600);
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    assert.equal(desk.alerts.active()[0]?.muted?.id, silence.id);
    await desk.alerts.silences.end(silence.id);
    await desk.after(1);
    assert.equal(desk.alerts.active()[0]?.muted, null);
    await desk.alerts.rules.remove("device-offline");
    assert.equal(desk.alerts.rules.get("device-offline").changed, null);
    await assert.rejects(desk.alerts.rules.remove("device-offline"), (error) =>
      isMusterError(error, "request.conflict"),
    );
  });

  it("a database that refuses for a while costs nothing but the time", async () => {
    await desk.hotRule();
    for (let box = 0; box < 400; box += 1) desk.fleet.add(deviceAt(`x${box}`, "us/a"), { loadPerCore: 99 });
    const stores = desk.stores as { writeControl: typeof desk.stores.writeControl };
    const write = stores.writeControl;
    let writes = 0;
    stores.writeControl = async (work) => {
      writes += 1;
      if (writes > 1) throw new MusterError("storage.full");
      return await write(work);
    };
    await assert.rejects(desk.after(0), (error) => isMusterError(error, "storage.full"));
    const first = desk.alerts.active();
    assert.ok(first.length > 0 && first.length < 400, "some were stored");
    stores.writeControl = write;
    await desk.after(15);
    assert.equal(desk.alerts.active().length, 400);
    assert.ok(first.every(({ id }) => desk.alerts.active().some((alert) => alert.id === id)));
    await desk.restart();
    assert.equal(desk.alerts.active().length, 400);
  });

  it("an alert ends when its rule is switched off or its device leaves", async () => {
    await desk.hotRule();
    desk.fleet.set("a0", { loadPerCore: 99 });
    desk.fleet.set("a1", { loadPerCore: 99 });
    await desk.after(0);
    desk.fleet.remove("a0");
    await desk.after(15);
    await desk.alerts.rules.remove("hot");
    await desk.after(15);
    const { alerts } = await desk.alerts.history({});
    assert.deepEqual(
      alerts.map(({ group, resolvedReason }) => [group, resolvedReason]),
      [
        ["a1", "rule-removed"],
        ["a0", "gone"],
      ],
    );
  });
});

describe("history", () => {
  it("pages through many alerts of one moment without a gap, and filters them", async () => {
    const desk = await AlertDesk.open();
    try {
      await desk.hotRule();
      for (let box = 0; box < 600; box += 1)
        desk.fleet.add(deviceAt(`x${box}`, box % 2 === 0 ? "us/a" : "us/ab"), { loadPerCore: 99 });
      await desk.after(0);
      assert.equal(desk.alerts.active().length, 600);
      for (let box = 0; box < 600; box += 1) desk.fleet.set(`x${box}`, { loadPerCore: 1 });
      await desk.after(15);
      const seen = new Set<string>();
      let cursor: { resolvedAt: number; id: string } | null | undefined;
      do {
        const page = await desk.alerts.history({ limit: 100, ...(cursor ? { cursor } : {}) });
        for (const { id } of page.alerts) seen.add(id);
        cursor = page.next;
      } while (cursor);
      assert.equal(seen.size, 600);
      assert.equal((await desk.alerts.history({ site: "us/a", limit: 1000 })).alerts.length, 300);
      assert.equal((await desk.alerts.history({ site: "us", limit: 1000 })).alerts.length, 600);
      assert.equal((await desk.alerts.history({ severity: "critical" })).alerts.length, 0);
      desk.now += 91 * 86_400_000;
      await desk.alerts.evaluate();
      assert.equal((await desk.alerts.history({})).alerts.length, 0, "kept for 90 days");
    } finally {
      await desk.close();
    }
  });
});
