import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import Sqlite from "better-sqlite3";
import { DEVICE, World } from "../update/world.ts";

async function worldOf(context: TestContext): Promise<World> {
  const world = await World.create();
  context.after(() => world.destroy());
  return world;
}

/** Somebody who has the disk of the box, and none of the keys of the fleet, writes to its database. */
function tamper(world: World, sql: string, ...values: unknown[]): void {
  const db = new Sqlite(join(world.dataDir, "agent.db"));
  db.prepare(sql).run(...values);
  db.close();
}

test("a manifest that was changed on disk is not the release that was signed: it does not run", async (context) => {
  const world = await worldOf(context);
  const release = world.release("1.0.0", 1);
  await world.install(release);
  await world.shutdown();
  const evil = canonicalJson(world.manifest("1.0.0", 1, { fate: { observed: { p95Ms: 99 } }, padding: 5 }));
  tamper(world, "UPDATE update_releases SET manifest = ? WHERE digest = ?", evil, release.digest);
  await world.boot();
  assert.deepEqual(world.engine.state().components, []);
  assert.notEqual(world.engine.state().runner, "ready");
  // The next order fetches what was signed.
  assert.equal((await world.install(world.release("2.0.0", 2)))?.outcome, "succeeded");
  await world.serves("2.0.0");
});

test("a directive that was written into the database is not carried out", async (context) => {
  const world = await worldOf(context);
  await world.install(world.release("1.0.0", 1));
  const second = world.release("2.0.0", 2);
  await world.shutdown();
  const forged = world.origin
    .directive(DEVICE, 9, second)
    .replace(/"signature":"[0-9a-f]{8}/, '"signature":"00000000');
  tamper(world, "UPDATE desired SET directive = ?, generation = 9", forged);
  await world.boot();
  await world.serves("1.0.0");
  await world.engine.offer(forged, "mqtt");
  assert.equal(world.engine.state().refused?.failure.code, "directive.signature-invalid");
  await world.serves("1.0.0");
});

test("floors and numbers that were taken away let nothing in that has ended or that nobody signed", async (context) => {
  const world = await worldOf(context);
  const first = world.release("1.0.0", 1);
  const expired = world.origin.directive(DEVICE, 1, first, { notAfter: Date.now() - 1 });
  await world.install(first);
  await world.order(world.release("2.0.0", 2), { floor: 2 });
  await world.ended(2);
  await world.shutdown();
  tamper(world, "DELETE FROM desired");
  tamper(world, "DELETE FROM desired_floors");
  await world.boot();
  await world.serves("2.0.0");
  await world.engine.offer(expired, "mqtt");
  assert.equal(world.engine.state().refused?.failure.code, "directive.expired");
  await world.serves("2.0.0");
});
