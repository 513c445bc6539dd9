import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { World } from "../update/world.ts";

async function worldOf(context: TestContext): Promise<World> {
  const world = await World.create();
  context.after(() => world.destroy());
  return world;
}
const waitsFor = (world: World) => world.updates().at(-1)?.failure?.code;

test("downgrade: metadata of before is refused, and what runs goes on", async (context) => {
  const world = await worldOf(context);
  await world.install(world.release("1.0.0", 1));
  const next = world.release("2.0.0", 2);
  world.origin.sign();
  await world.install(next);
  // A mirror that shows an older state of the repository: all of it is signed, none of it is new.
  const third = world.release("3.0.0", 3);
  world.origin.sign({ online: 1 });
  const result = await world.install(third);
  assert.deepEqual([result?.outcome, result?.failure?.code], ["rejected", "trust.metadata-invalid"]);
  await world.serves("2.0.0");
  world.origin.sign({ online: 50 });
  assert.equal((await world.install(third))?.outcome, "succeeded");
});

test("downgrade: a way back is a newer directive, signed, within the floor", async (context) => {
  const world = await worldOf(context);
  const first = world.release("1.0.0", 1);
  await world.install(first);
  await world.install(world.release("2.0.0", 2));
  assert.equal((await world.install(first))?.outcome, "succeeded");
  await world.serves("1.0.0");
});

test("freeze: with a timestamp that ended nothing new is installed, it is told, and what runs goes on", async (context) => {
  const world = await worldOf(context);
  await world.install(world.release("1.0.0", 1));
  const next = world.release("2.0.0", 2);
  world.origin.sign({ expires: Date.now() - 1000 });
  await world.order(next);
  await world.until(() => waitsFor(world) === "trust.metadata-expired");
  await world.serves("1.0.0");
  await world.reboot();
  await world.serves("1.0.0");
  assert.equal(world.current(), "1.0.0");
  // Who froze it has to let go in the end: then it goes on by itself.
  world.origin.sign();
  await world.serves("2.0.0");
});
