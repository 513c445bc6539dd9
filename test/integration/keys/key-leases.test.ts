import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { KeyLeases } from "@muster/control-plane/keys/key-leases";
import { MasterKey } from "@muster/control-plane/keys/master-key";
import { ModelKeys } from "@muster/control-plane/keys/model-keys";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { requireLeaseFor } from "@muster/shared/protocol/key-lease";
import { signDirective } from "@muster/shared/trust/directive";
import { openSealed } from "@muster/shared/trust/sealed-box";
import nacl from "tweetnacl";
import { ANNA, manifestOf, World } from "../rollouts/world.ts";

const KEY = "ab".repeat(16);
const OTHER = "cd".repeat(16);
const SECRET = randomBytes(32);
const LEASE_SECONDS = 3600;
const NEW = manifestOf("vibration", 2);

let world: World;
let keys: ModelKeys;
let device = "";
const pair = nacl.box.keyPair();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const leases = (verdict: "affirming" | "warning" | "any" = "warning") =>
  new KeyLeases({
    stores: world.stores,
    directory: world.directory,
    keys,
    signer: world.keys.directive,
    verdict,
    leaseSeconds: LEASE_SECONDS,
    random: randomBytes,
    clock: world.clock,
  });

const refused = (work: Promise<unknown>, code: ErrorCode) =>
  assert.rejects(work, (error) => isMusterError(error, code));

const run = (sql: string, ...values: unknown[]) => world.stores.controlRaw.prepare(sql).run(...values);
const judge = (tier: string, withheld = 0, notAfter = world.now + 86_400_000) =>
  run(
    `INSERT INTO attestation_standings (device, tier, claims, findings, sentence, at, not_after, withheld)
     VALUES (?, ?, '{}', '[]', 'It says so.', ?, ?, ?) ON CONFLICT (device) DO UPDATE SET
       tier = excluded.tier, at = excluded.at, not_after = excluded.not_after, withheld = excluded.withheld`,
    device,
    tier,
    world.now,
    notAfter,
    withheld,
  );

before(async () => {
  world = await World.open();
  const release = await world.addRelease(NEW);
  await world.addDevices([{ site: "a" }], release, [NEW]);
  device = [...world.devices.keys()][0] ?? "";
  keys = new ModelKeys(
    world.stores.control,
    await MasterKey.open(join(world.dir, "keys"), "model-keys"),
    world.clock,
  );
  await keys.put(KEY, { name: "vibration", key: SECRET.toString("base64") }, ANNA);
  await keys.put(OTHER, { name: "other", key: randomBytes(32).toString("base64") }, ANNA);
  run("INSERT INTO release_keys (release, key) VALUES (?, ?)", release.digest, KEY);
  run("UPDATE devices SET sealing_key = ? WHERE id = ?", hex(pair.publicKey), device);
  const payload = {
    ...{ v: 1 as const, device, generation: 1, issuedAt: world.now, notAfter: world.now + 1 },
    ...{ rollout: null, release, floor: 0, shadow: null },
  };
  const directive = signDirective(payload, world.keys.directive);
  run("UPDATE devices SET directive = ?, generation = 1 WHERE id = ?", JSON.stringify(directive), device);
});
after(() => world.close());

test("a device that passes gets a lease that only it can open, for a time, and it is on record", async () => {
  judge("affirming");
  const [lease] = await leases().lease(device, [KEY]);
  assert.ok(lease);
  const { payload } = lease;
  assert.deepEqual([payload.issuedAt, payload.notAfter], [world.now, world.now + LEASE_SECONDS * 1000]);
  const { keyId, publicKey } = world.keys.directive;
  requireLeaseFor(lease, device, { [keyId]: publicKey });
  assert.deepEqual(openSealed(hex(pair.secretKey), payload.sealed), SECRET);
  assert.equal((await keys.get(KEY)).leases, 1);
  assert.throws(
    () => requireLeaseFor(lease, `d${"b".repeat(20)}`, { [keyId]: publicKey }),
    (error) => isMusterError(error, "key.lease-invalid"),
  );
  const longer = { ...lease, payload: { ...payload, notAfter: payload.notAfter + 1 } };
  assert.throws(
    () => requireLeaseFor(longer, device, { [keyId]: publicKey }),
    (error) => isMusterError(error, "key.lease-invalid"),
  );
});

test("what a device must be to get a key depends on the verdict that is asked for", async () => {
  const rows: [string, "affirming" | "warning" | "any", boolean][] = [
    ["affirming", "affirming", true],
    ["warning", "affirming", false],
    ["warning", "warning", true],
    ["none", "warning", false],
    ["none", "any", true],
    ["contraindicated", "any", false],
  ];
  for (const [tier, least, gets] of rows) {
    judge(tier);
    const work = leases(least).lease(device, [KEY]);
    if (gets) assert.equal((await work).length, 1, `${tier} for ${least}`);
    else await refused(work, "key.withheld");
  }
  judge("affirming", 0, world.now);
  await refused(leases().lease(device, [KEY]), "key.withheld");
  judge("affirming", 1);
  await refused(leases("any").lease(device, [KEY]), "key.withheld");
  judge("affirming");
  run("UPDATE devices SET status = 'quarantined' WHERE id = ?", device);
  await refused(leases("any").lease(device, [KEY]), "key.withheld");
  run("UPDATE devices SET status = 'active' WHERE id = ?", device);
});

test("only keys of releases that the device was told are given, all that were asked for or none", async () => {
  judge("affirming");
  await refused(leases().lease(device, [OTHER]), "key.not-entitled");
  await refused(leases().lease(device, [KEY, OTHER]), "key.not-entitled");
  await refused(leases().lease(device, ["ef".repeat(16)]), "key.not-entitled");
  // It may say what it likes of what it runs and of what it was given.
  const digest = `sha256:${"e".repeat(64)}`;
  const claimed = { name: "limits", version: "9.0.0", digest };
  run("INSERT INTO release_keys (release, key) VALUES (?, ?)", digest, OTHER);
  run(
    "UPDATE devices SET reported = json_set(coalesce(reported, '{}'), '$.running', json(?)) WHERE id = ?",
    JSON.stringify(claimed),
    device,
  );
  run(
    "INSERT INTO device_updates (device, generation, release, phase, started_at, at) VALUES (?, 99, ?, 'committed', 1, 1)",
    device,
    JSON.stringify(claimed),
  );
  await refused(leases().lease(device, [OTHER]), "key.not-entitled");
  run("UPDATE devices SET sealing_key = NULL WHERE id = ?", device);
  await refused(leases().lease(device, [KEY]), "key.no-recipient");
  run("UPDATE devices SET sealing_key = ? WHERE id = ?", hex(pair.publicKey), device);
});

test("a stored key tells nothing to who has the database alone, and an id names one key for ever", async () => {
  const rows = world.stores.controlRaw.prepare("SELECT * FROM model_keys").all();
  const text = JSON.stringify(rows);
  assert.equal(text.includes(SECRET.toString("base64")) || text.includes(SECRET.toString("hex")), false);
  await keys.put(KEY, { name: "again", key: SECRET.toString("base64") }, ANNA);
  await refused(keys.put(KEY, { name: "x", key: randomBytes(32).toString("base64") }, ANNA), "key.exists");
  await refused(keys.put("0".repeat(32), { name: "x", key: "AAAA" }, ANNA), "request.invalid");
  const foreign = await MasterKey.open(join(world.dir, "other-keys"), "model-keys");
  await refused(new ModelKeys(world.stores.control, foreign, world.clock).open(KEY), "key.not-unwrapped");
  const purpose = await MasterKey.open(join(world.dir, "keys"), "secrets");
  await refused(new ModelKeys(world.stores.control, purpose, world.clock).open(KEY), "key.not-unwrapped");
  // A wrapped key that is put under the id of another one does not open either.
  run(
    "UPDATE model_keys SET wrapped = (SELECT wrapped FROM model_keys WHERE id = ?) WHERE id = ?",
    KEY,
    OTHER,
  );
  await refused(keys.open(OTHER), "key.not-unwrapped");
});

test("a withdrawn key is forgotten", async () => {
  const view = await keys.withdraw(KEY, ANNA);
  assert.equal(view.withdrawn?.by, ANNA.name);
  await refused(leases().lease(device, [KEY]), "key.withdrawn");
  await refused(keys.withdraw("0".repeat(32), ANNA), "key.unknown");
  const stored = world.stores.controlRaw
    .prepare("SELECT wrapped FROM model_keys WHERE id = ?")
    .pluck()
    .get(KEY);
  assert.equal(stored, null);
});
