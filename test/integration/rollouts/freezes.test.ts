import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Freezes, openFreezes } from "@muster/control-plane/rollouts/freezes";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { isMusterError } from "@muster/shared/errors";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe("freezes", () => {
  let dir: string;
  let stores: Stores;
  let freezes: Freezes;
  let now = Date.parse("2026-11-22T12:00Z");
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-freezes-"));
    stores = await openStores(dir);
    freezes = new Freezes(stores.control, () => now);
  });
  after(async () => {
    await stores?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const states = async (past = 100) =>
    (await freezes.list(past)).map(({ reason, state }) => `${reason}: ${state}`);

  it("are planned, begin, and are over by themselves; author and reason stay", async () => {
    const soon = await freezes.create(
      { site: "eu/de", from: now + HOUR, to: now + 2 * HOUR, reason: " sales " },
      "ada",
    );
    await freezes.create({ to: now + 4 * HOUR, reason: "incident" }, "bob");
    assert.deepEqual(await states(), ["incident: active", "sales: planned"]);
    now += HOUR;
    assert.deepEqual(await states(), ["incident: active", "sales: active"]);
    now += HOUR;
    const [, over] = await freezes.list(10);
    assert.deepEqual(over, { ...soon, state: "past" });
    assert.deepEqual([over?.createdBy, over?.endedAt, over?.endedBy], ["ada", null, null]);
    const open = await openFreezes(stores.control, now);
    assert.deepEqual(
      open.map(({ site, reason, createdBy, from, to }) => ({
        site,
        reason,
        createdBy,
        hours: (to - from) / HOUR,
      })),
      [{ site: null, reason: "incident", createdBy: "bob", hours: 4 }],
    );
  });

  it("end early once; repeating it, or ending what is over, changes nothing", async () => {
    now += 1000;
    const { id } = (await freezes.list(0))[0] ?? assert.fail();
    const ended = await freezes.end(id, "eve");
    assert.deepEqual([ended.state, ended.to, ended.endedAt, ended.endedBy], ["past", now, now, "eve"]);
    assert.deepEqual(await openFreezes(stores.control, now), []);
    now += 1000;
    assert.deepEqual(await freezes.end(id, "mallory"), ended);
    const [, sales] = await freezes.list(10);
    assert.equal((await freezes.end(sales?.id ?? "", "eve")).endedBy, null);
    const planned = await freezes.create({ from: now + HOUR, to: now + DAY, reason: "never" }, "ada");
    assert.equal((await freezes.end(planned.id, "ada")).state, "past");
    now += 2 * HOUR;
    assert.deepEqual(await openFreezes(stores.control, now), []);
    await assert.rejects(freezes.end("no-such", "eve"), (error) => isMusterError(error, "request.not-found"));
  });

  it("lists what is over with the latest end first, as much as is asked for", async () => {
    assert.deepEqual(await states(), ["never: past", "incident: past", "sales: past"]);
    assert.deepEqual(await states(1), ["never: past"]);
  });

  it("begins now where the beginning is past", async () => {
    const freeze = await freezes.create({ from: 0, to: now + 1, reason: "at once" }, "ada");
    assert.equal(freeze.from, now);
    now += 1;
  });

  for (const [what, wanted] of Object.entries({
    "that is over": () => ({ to: now, reason: "r" }),
    "that ends before it begins": () => ({ from: now + 2 * HOUR, to: now + HOUR, reason: "r" }),
    "of no length": () => ({ from: now + HOUR, to: now + HOUR, reason: "r" }),
    "of more than a year": () => ({ to: now + 367 * DAY, reason: "r" }),
    "without a reason": () => ({ to: now + HOUR, reason: "  " }),
    "at no site": () => ({ site: "EU//de", to: now + HOUR, reason: "r" }),
    "without an end": () => ({ reason: "r" }) as never,
    "with a time that is none": () => ({ to: Number.NaN, reason: "r" }),
    "with more than it takes": () => ({ to: now + HOUR, reason: "r", forever: true }) as never,
  }))
    it(`${what} is refused and not kept`, async () => {
      const before = await states();
      await assert.rejects(freezes.create(wanted(), "ada"), (error) =>
        isMusterError(error, "freeze.invalid"),
      );
      assert.deepEqual(await states(), before);
    });

  it("are bounded in number", async () => {
    const make = async () => await freezes.create({ to: now + HOUR, reason: "many" }, "ada");
    for (let count = 0; count < 200; count += 1) await make();
    await assert.rejects(
      make(),
      (error) => isMusterError(error, "freeze.invalid") && /200/.test(error.message),
    );
    now += HOUR;
    await make();
  });

  it("are still there after a restart", async () => {
    const before = await freezes.list(1000);
    await stores.close();
    stores = await openStores(dir);
    freezes = new Freezes(stores.control, () => now);
    assert.deepEqual(await freezes.list(1000), before);
  });
});
