import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { test } from "node:test";
import { checkRequest } from "@muster/control-plane/enrollment/csr";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { type DeviceKeys, deviceKeys } from "../../simulator/fleet/keys.ts";

async function all(seed: number, count: number): Promise<DeviceKeys[]> {
  const made: DeviceKeys[] = [];
  for await (const keys of deviceKeys(seed, count)) made.push(keys);
  return made;
}

test("keys are distinct, work, follow from the seed, and their requests pass the control plane", async () => {
  const made = await all(3, 12);
  assert.equal(new Set(made.map(({ id }) => id)).size, 12);
  assert.equal(new Set(made.map(({ signing }) => signing.publicKey)).size, 12);
  for (const { id, key, csr } of made) {
    assert.equal(checkRequest(csr).device, id);
    const text = Buffer.from(id);
    const signature = sign("sha256", text, createPrivateKey(key));
    assert.ok(verify("sha256", text, createPublicKey(key), signature));
  }
  for (const { signing } of made) assert.deepEqual(signing, signingKeyFrom(Buffer.from(signing.seed, "hex")));
  assert.deepEqual(await all(3, 12), made);
  assert.notEqual((await all(4, 1))[0]?.id, made[0]?.id);
});
