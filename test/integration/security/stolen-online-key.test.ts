import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { DEVICE, World } from "../update/world.ts";

/** The thief has every key of the control plane, and its network: all but root and targets, which are kept offline. */
async function stolen(context: TestContext): Promise<World> {
  const world = await World.create();
  context.after(() => world.destroy());
  return world;
}

const refusedAs = (world: World) => world.engine.state().refused?.failure.code;

test("cannot make a device run what the offline keys did not sign", async (context) => {
  const world = await stolen(context);
  await world.install(world.release("1.0.0", 1));
  const invented: ReleaseRef = {
    name: "inspection",
    version: "6.6.6",
    sequence: 66,
    digest: `sha256:${"6".repeat(64)}`,
  };
  const generation = await world.order(invented);
  const result = await world.ended(generation);
  assert.deepEqual([result?.outcome, result?.failure?.code], ["rejected", "release.unsigned"]);
  await world.serves("1.0.0");
});

test("cannot sign new targets with the keys for snapshot and timestamp", async (context) => {
  const world = await stolen(context);
  const good = world.release("1.0.0", 1);
  await world.install(good);
  const { snapshot, timestamp, targets } = world.origin.keys;
  for (const key of [snapshot, timestamp, signingKeyFrom(Buffer.alloc(32, 77))]) {
    const evil = world.release(`9.0.${key.keyId.charCodeAt(0)}`, 9);
    world.origin.sign({ targetsKey: key });
    const result = await world.install(evil);
    assert.deepEqual([result?.outcome, result?.failure?.code], ["rejected", "trust.metadata-invalid"]);
    await world.serves("1.0.0");
    assert.equal(world.current(), "1.0.0");
  }
  world.origin.sign({ targetsKey: targets });
});

test("cannot hand out other bytes than were signed", async (context) => {
  const world = await stolen(context);
  await world.install(world.release("1.0.0", 1));
  const next = world.release("2.0.0", 2);
  world.origin.fault = () => ({ kind: "flip", at: 5 });
  const generation = await world.order(next);
  const result = await world.ended(generation);
  assert.deepEqual([result?.outcome, result?.failure?.code], ["failed-unchanged", "artifact.corrupted"]);
  await world.serves("1.0.0");
});

test("may select among signed releases, but none below the floor that was accepted", async (context) => {
  const world = await stolen(context);
  const first = world.release("1.0.0", 1);
  const second = world.release("2.0.0", 2);
  await world.install(first);
  const floored = await world.order(second, { floor: 2 });
  assert.equal((await world.ended(floored))?.outcome, "succeeded");
  for (const over of [{ floor: 0 }, { floor: 1 }, { floor: 2 }]) {
    await world.order(first, over);
    assert.equal(refusedAs(world), "directive.below-floor");
    await world.serves("2.0.0");
  }
  // Whether it lies about the sequence: the signed manifest says otherwise.
  const lying = await world.order({ ...first, sequence: 5 }, { floor: 0 });
  const result = await world.ended(lying);
  assert.deepEqual([result?.outcome, result?.failure?.code], ["rejected", "release.digest-mismatch"]);
  await world.reboot();
  await world.order(first, { floor: 0 });
  assert.equal(refusedAs(world), "directive.below-floor", "also after a restart");
});

test("is shut out by the next root: directives by the old key are refused from then on", async (context) => {
  const world = await stolen(context);
  const release = world.release("1.0.0", 1);
  await world.install(release);
  const old = world.origin.keys.directive;
  world.origin.rotateRoot({ directive: signingKeyFrom(Buffer.alloc(32, 50)) });
  world.origin.sign();
  const next = world.release("2.0.0", 2);
  assert.equal((await world.install(next))?.outcome, "succeeded");
  const { payload } = JSON.parse(world.origin.directive(DEVICE, 99, release)) as { payload: never };
  await world.engine.offer(JSON.stringify(signDirective(payload, old)), "mqtt");
  assert.equal(refusedAs(world), "directive.signature-invalid");
  await world.serves("2.0.0");
});
