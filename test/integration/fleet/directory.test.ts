import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Directory } from "@muster/control-plane/fleet/directory";
import type { FleetDevice } from "@muster/control-plane/fleet/fleet-device";
import { Groups } from "@muster/control-plane/fleet/groups";
import { Presence } from "@muster/control-plane/fleet/presence";
import { parseSelector } from "@muster/control-plane/fleet/selector";
import { changeSite, clearSite, replaceSite } from "@muster/control-plane/fleet/site-settings";
import { openStores } from "@muster/control-plane/storage/database";
import { inTransaction } from "@muster/control-plane/storage/transaction";
import { isMusterError } from "@muster/shared/errors";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, birth, release, reported } from "../../support/fleet/messages.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;
const rules = { heartbeatIntervalMs: 30_000, willGraceMs: 5_000 };

/** Everything that two pictures of the same database must agree on. */
const picture = (directory: Directory) =>
  [...directory.inOrder()].map((device: FleetDevice) => ({
    ...device,
    revision: undefined,
    effectiveLabels: device.effectiveLabels,
    attempts: device.attempts("rollout-0001"),
    groups: directory.groupsOf(device),
  }));

describe("directory", () => {
  let fleet: TestFleet;
  const clock = Date.UTC(2026, 10, 22, 12);
  const ids: string[] = [];

  before(async () => {
    fleet = await startFleet({ now: () => clock });
    for (const name of ["press-1", "press-2", "press-3"])
      ids.push((await fleet.enroll(name, "eu/berlin")).id);
    ids.push((await fleet.enroll("lathe", "us/reno")).id);
  });
  after(() => fleet.close());

  const id = (index: number): string => ids[index] ?? "";
  const selected = (text: string) => fleet.directory.matching(parseSelector(text)).map(({ name }) => name);
  const say = (device: string, channel: "birth" | "state" | "batch", message: unknown) =>
    fleet.ingest.handle(device, channel, Buffer.from(JSON.stringify(message)));
  const groups = () =>
    new Groups({
      db: fleet.stores.control,
      directory: fleet.directory,
      clock: () => clock,
      usersOf: async () => [],
    });

  it("reads the rows that changed and no others", async () => {
    const { directory } = fleet;
    directory.refresh();
    const { revision } = directory;
    assert.equal(directory.refresh(), false);
    say(id(0), "birth", birth("session-1", reported(release("1.0.0"))));
    await fleet.ingest.flush();
    assert.equal(directory.refresh(), true);
    assert.equal(directory.revision, revision + 1);
    assert.deepEqual(
      ids.map((each) => directory.get(each)?.revision === directory.revision),
      [true, false, false, false],
    );
    assert.equal(directory.get(id(0))?.running?.version, "1.0.0");
    assert.equal(directory.get(id(0))?.online, true);
  });

  it("is not woken by who was heard when", async () => {
    fleet.presence.seen(id(1));
    await fleet.presence.save();
    assert.equal(fleet.directory.refresh(), false);
    assert.equal(fleet.directory.get(id(1))?.lastSeenAt, clock);
  });

  it("shows what is committed and never the half of a transaction", async () => {
    const { directory, stores } = fleet;
    const rename = async (tx: Parameters<Parameters<typeof inTransaction>[1]>[0], name: string) =>
      await tx.updateTable("devices").set({ name }).where("id", "=", id(3)).execute();
    await assert.rejects(
      inTransaction(stores.control, async (tx) => {
        await rename(tx, "mill");
        assert.equal(directory.refresh(), false);
        throw new Error("power cut");
      }),
    );
    assert.equal(directory.refresh(), false);
    assert.equal(directory.get(id(3))?.name, "lathe");
    await inTransaction(stores.control, async (tx) => await rename(tx, "mill"));
    assert.equal(directory.refresh(), true);
    assert.equal(directory.get(id(3))?.name, "mill");
  });

  it("follows the updates of a rollout, by their generations", async () => {
    const { directory, stores } = fleet;
    await stores.control.updateTable("devices").set({ generation: 3 }).where("id", "=", id(0)).execute();
    const update = (seq: number, body: object) => ({ seq, kind: "update", at: 1000 + seq, body });
    const step = (generation: number, phase: string, more: object = {}) => ({
      generation,
      rollout: "rollout-0001",
      release: release("2.0.0", 2),
      phase,
      ...more,
    });
    const outcome = { outcome: "failed-rolled-back", failure: { code: "probation.failed", message: "no" } };
    const tell = async (...records: object[]) => {
      say(id(0), "batch", { ...batch("session-1", []), records });
      await fleet.ingest.flush();
      directory.refresh();
    };
    await tell(update(1, step(2, "fetching")));
    const attempts = () => directory.get(id(0))?.attempts("rollout-0001") ?? [];
    assert.deepEqual(
      attempts().map(({ generation, phase, outcome: end }) => [generation, phase, end]),
      [[2, "fetching", null]],
    );
    await tell(update(2, step(3, "accepted")), update(3, step(2, "rolled-back", outcome)));
    assert.deepEqual(
      attempts().map(({ generation, phase, outcome: end, failure }) => [
        generation,
        phase,
        end,
        failure?.code,
      ]),
      [
        [2, "rolled-back", "failed-rolled-back", "probation.failed"],
        [3, "accepted", null, undefined],
      ],
    );
    assert.deepEqual(directory.get(id(0))?.attempts("another"), []);
    assert.deepEqual(directory.get(id(1))?.attempts("rollout-0001"), []);
  });

  it("inherits labels from sites and selects by them at once", async () => {
    const { directory, stores } = fleet;
    await replaceSite(stores.control, "eu", {
      labels: { region: "eu", ring: "late" },
      timeZone: "Europe/Paris",
    });
    await changeSite(stores.control, "eu/berlin", { labels: { ring: "early" }, uplinkKbps: 2000 });
    assert.equal(directory.refresh(), true);
    assert.deepEqual(selected("region=eu,ring=early"), ["press-1", "press-2", "press-3"]);
    await fleet.stores.control
      .updateTable("devices")
      .set({ labels: '{"ring":"canary"}' })
      .where("id", "=", id(1))
      .execute();
    directory.refresh();
    assert.deepEqual(selected("ring=canary"), ["press-2"]);
    await changeSite(stores.control, "eu/berlin", { labels: { ring: null }, uplinkKbps: null });
    directory.refresh();
    assert.deepEqual(selected("ring=late"), ["press-1", "press-3"]);
    assert.equal(
      await stores.control.selectFrom("sites").selectAll().where("path", "=", "eu/berlin").executeTakeFirst(),
      undefined,
    );
    for (const timeZone of ["Europe/Nowhere", "+01:00", ""])
      await assert.rejects(changeSite(stores.control, "eu", { timeZone }), code("request.invalid"), timeZone);
    const labels = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, "v"]));
    await assert.rejects(replaceSite(stores.control, "eu", { labels }), code("request.invalid"));
    assert.equal(directory.refresh(), false);
  });

  it("knows who is in a saved group, and refuses groups of groups", async () => {
    const { directory } = fleet;
    const saved = groups();
    assert.deepEqual(await saved.create("canaries", " ring in ( canary ) ", "first"), {
      name: "canaries",
      selector: "ring=canary",
      description: "first",
      createdAt: clock,
      changedAt: clock,
      devices: 1,
      offline: 0,
    });
    assert.deepEqual(selected("group=canaries"), ["press-2"]);
    assert.deepEqual(selected("group!=canaries,site=eu"), ["press-1", "press-3"]);
    await assert.rejects(saved.create("canaries", ""), code("request.conflict"));
    await assert.rejects(saved.create("more", "group=canaries"), code("selector.invalid"));
    await assert.rejects(saved.change("more", { selector: "" }), code("request.not-found"));
    await assert.rejects(saved.create("more", "liveness=gone"), code("selector.invalid"));
    assert.equal((await saved.change("canaries", { selector: "site=us" })).description, "first");
    assert.deepEqual(selected("group in (canaries)"), ["mill"]);
    const unknown = parseSelector("site=eu,group!=cannaries");
    assert.throws(() => directory.requireGroups(unknown), code("selector.invalid"));
    assert.deepEqual(directory.matching(unknown), []);
  });

  it("keeps a group that a rollout names, unless forced", async () => {
    const { directory, stores } = fleet;
    const saved = new Groups({
      db: stores.control,
      directory,
      clock: () => clock,
      usersOf: async (_db, group) => (group === "canaries" ? ["rollout-0001", "rollout-0002"] : []),
    });
    await assert.rejects(saved.remove("canaries", false), code("request.conflict"));
    await saved.remove("canaries", true);
    await assert.rejects(saved.remove("canaries", true), code("request.not-found"));
    directory.refresh();
    assert.deepEqual(selected("group=canaries"), []);
    assert.deepEqual(selected("group!=canaries"), []);
    await saved.create("canaries", "ring=canary");
  });

  it("counts devices and those that cannot serve by place", async () => {
    const { directory } = fleet;
    const update = { generation: 2, release: release("2.0.0", 2), phase: "probation" as const, since: 1 };
    say(id(1), "birth", birth("session-1", reported(release("1.0.0"), { update })));
    say(id(2), "birth", birth("session-1", reported(release("1.0.0"))));
    await fleet.ingest.flush();
    directory.refresh();
    const places = directory.places();
    assert.deepEqual(places.site("eu/berlin"), { devices: 3, unavailable: 1 });
    assert.deepEqual(places.site("us/reno"), { devices: 1, unavailable: 1 });
    assert.deepEqual(places.region("eu", 1), { devices: 3, unavailable: 1 });
    assert.deepEqual(places.region("eu", 2), { devices: 0, unavailable: 0 });
    const hardwareClass = directory.get(id(0))?.hardwareClass ?? "";
    assert.equal(places.hardwareClass(hardwareClass).devices, 4);
    assert.deepEqual(directory.places(new Set([id(0), id(1)])).site("eu/berlin"), {
      devices: 3,
      unavailable: 2,
    });
    assert.equal(places.siteOf("eu/berlin").timeZone, "Europe/Paris");
    await fleet.standing.revoke(id(2), "sold");
    directory.refresh();
    assert.deepEqual(directory.places().site("eu/berlin"), { devices: 2, unavailable: 1 });
    assert.deepEqual(selected("site=eu"), ["press-1", "press-2"]);
    assert.deepEqual(selected("status=revoked"), ["press-3"]);
  });

  it("shows a second control plane and a restarted one the same picture", async () => {
    const other = await openStores(fleet.dataDir);
    try {
      const presence = await Presence.load(other, rules, () => clock);
      const standby = Directory.load(other, presence);
      assert.deepEqual(picture(standby), picture(fleet.directory));
      say(id(0), "state", {
        v: 1,
        session: "session-1",
        seq: 9,
        at: 1,
        state: reported(release("3.0.0", 3)),
      });
      await fleet.ingest.flush();
      await clearSite(fleet.stores.control, "eu");
      assert.equal(standby.refresh(), true);
      fleet.directory.refresh();
      assert.equal(standby.get(id(0))?.running?.version, "3.0.0");
      assert.deepEqual(picture(standby), picture(fleet.directory));
      const again = Directory.load(other, presence);
      assert.deepEqual(picture(again), picture(standby));
    } finally {
      await other.close();
    }
  });
});
