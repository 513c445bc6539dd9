import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { DEVICE, World } from "../update/world.ts";

async function worldOf(context: TestContext): Promise<World> {
  const world = await World.create();
  context.after(() => world.destroy());
  return world;
}

/** The thief has the targets key, and nothing of the control plane. */
test("a release that was signed with it reaches no device: nobody orders it", async (context) => {
  const world = await worldOf(context);
  await world.install(world.release("1.0.0", 1));
  const evil = world.release("6.6.6", 66);
  const { payload } = JSON.parse(world.origin.directive(DEVICE, 2, evil)) as { payload: never };
  for (const key of [world.origin.keys.targets, world.origin.keys.timestamp]) {
    await world.engine.offer(JSON.stringify(signDirective(payload, key)), "mqtt");
    assert.equal(world.engine.state().refused?.failure.code, "directive.signature-invalid");
  }
  await delay(100);
  await world.serves("1.0.0");
});

test("the next root shuts it out: what it signs is refused, also where it is ordered", async (context) => {
  const world = await worldOf(context);
  await world.install(world.release("1.0.0", 1));
  const stolen = world.origin.keys.targets;
  world.origin.rotateRoot({ targets: signingKeyFrom(Buffer.alloc(32, 51)) });
  world.origin.sign();
  const good = world.release("2.0.0", 2);
  assert.equal((await world.install(good))?.outcome, "succeeded");
  const evil = world.release("6.6.6", 66);
  world.origin.sign({ targetsKey: stolen });
  const result = await world.install(evil);
  assert.deepEqual([result?.outcome, result?.failure?.code], ["rejected", "trust.metadata-invalid"]);
  await world.serves("2.0.0");
});
