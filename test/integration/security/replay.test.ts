import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { DEVICE, World } from "../update/world.ts";

async function worldOf(context: TestContext): Promise<World> {
  const world = await World.create();
  context.after(() => world.destroy());
  return world;
}
const refusedAs = (world: World) => world.engine.state().refused?.failure.code;

test("a directive that was heard before takes a device nowhere, whenever and however it comes", async (context) => {
  const world = await worldOf(context);
  const first = world.release("1.0.0", 1);
  const second = world.release("2.0.0", 2);
  const recorded = world.origin.directive(DEVICE, 1, first);
  await world.engine.offer(recorded, "mqtt");
  await world.ended(1);
  await world.engine.offer(world.origin.directive(DEVICE, 2, second), "mqtt");
  await world.ended(2);
  for (const way of ["mqtt", "https"] as const) {
    await world.engine.offer(recorded, way);
    assert.equal(refusedAs(world), "directive.replayed");
    await world.serves("2.0.0");
  }
  await world.reboot();
  await world.engine.offer(recorded, "mqtt");
  assert.equal(refusedAs(world), "directive.replayed");
  await world.serves("2.0.0");
});

test("the newest directive again does nothing again", async (context) => {
  const world = await worldOf(context);
  const recorded = world.origin.directive(DEVICE, 1, world.release("1.0.0", 1));
  await world.engine.offer(recorded, "mqtt");
  await world.ended(1);
  const told = world.updates().length;
  for (let time = 0; time < 5; time += 1) await world.engine.offer(recorded, "mqtt");
  assert.equal(world.updates().length, told);
  assert.equal(world.engine.state().generation, 1);
});

test("a directive for another device, and one that waited too long, are refused", async (context) => {
  const world = await worldOf(context);
  const release = world.release("1.0.0", 1);
  await world.engine.offer(world.origin.directive("dzzzzzzzzzzzzzzzzzzzz", 5, release), "mqtt");
  assert.equal(refusedAs(world), "directive.wrong-audience");
  await world.engine.offer(world.origin.directive(DEVICE, 6, release, { notAfter: Date.now() - 1 }), "mqtt");
  assert.equal(refusedAs(world), "directive.expired");
  assert.equal(world.engine.state().running, null);
});

test("a changed one is no other one: the signature says so, and none is forged without the key", async (context) => {
  const world = await worldOf(context);
  const release = world.release("1.0.0", 1);
  const text = world.origin.directive(DEVICE, 1, release);
  const stranger = signingKeyFrom(Buffer.alloc(32, 99));
  const { payload } = JSON.parse(text) as { payload: never };
  for (const forged of [
    text.replace('"generation":1', '"generation":7'),
    JSON.stringify(signDirective(payload, stranger)),
    JSON.stringify({ ...JSON.parse(text), keyId: stranger.keyId }),
  ]) {
    await world.engine.offer(forged, "mqtt");
    assert.equal(refusedAs(world), "directive.signature-invalid");
  }
  assert.equal(world.engine.state().running, null);
});
