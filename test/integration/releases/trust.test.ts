import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { initKeys, loadKeys, readRoot, saveRoot } from "@muster/control-plane/trust/offline-keys";
import { buildRoot, signTargets } from "@muster/control-plane/trust/offline-signing";
import { openOnlineKeys } from "@muster/control-plane/trust/online-keys";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { addSignature, metadataText, parseRoot } from "@muster/shared/trust/tuf";
import { Workshop } from "./workshop.ts";

const DAY = 86_400_000;
const refuses =
  (code: ErrorCode, words = /./) =>
  (error: unknown) =>
    isMusterError(error, code) && words.test(error.message);

async function workshopOf(context: TestContext): Promise<Workshop> {
  const workshop = await Workshop.open();
  context.after(() => workshop.close());
  return workshop;
}

test("keys are private files that stay the same and are never replaced", async (context) => {
  const { dir, online, offline } = await workshopOf(context);
  for (const file of ["keys/snapshot.key", "keys/timestamp.key", "keys/directive.key", "offline/root.key"])
    assert.equal((await stat(join(dir, file))).mode & 0o777, 0o600);
  assert.deepEqual(await openOnlineKeys(join(dir, "keys")), online);
  assert.deepEqual(await loadKeys(join(dir, "offline")), offline);
  await assert.rejects(initKeys(join(dir, "offline")), refuses("request.conflict", /root.key/));
  await assert.rejects(loadKeys(join(dir, "none")), refuses("trust.key-missing", /root.key/));
  await writeFile(join(dir, "keys", "snapshot.key"), "not a key");
  await assert.rejects(openOnlineKeys(join(dir, "keys")), refuses("trust.key-missing", /snapshot.key/));
  assert.equal(await readRoot(join(dir, "offline")), null);
  await saveRoot(join(dir, "offline"), "{}");
  assert.equal(await readRoot(join(dir, "offline")), "{}");
});

test("before the trust root there is nothing to hand out", async (context) => {
  const { trust } = await workshopOf(context);
  const view = await trust.view();
  assert.equal(view.root, null);
  assert.deepEqual(view.versions, { root: 0, targets: 0, snapshot: 0, timestamp: 0 });
  assert.equal(await trust.refresh(), false);
  assert.equal(await trust.file("timestamp.json"), undefined);
});

test("the first root brings targets, snapshot and timestamp; the same again changes nothing", async (context) => {
  const workshop = await workshopOf(context);
  const root = await workshop.initTrust();
  const { trust } = workshop;
  const { versions } = await trust.view();
  assert.deepEqual(versions, { root: 1, targets: 1, snapshot: 1, timestamp: 1 });
  assert.deepEqual((await trust.addRoot({ root })).versions, versions);
  for (const name of ["1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"])
    assert.ok(await trust.file(name), name);
  for (const name of ["2.root.json", "root.json", "01.root.json", "1.timestamp.json", "1.root.json/.."])
    assert.equal(await trust.file(name), undefined, name);
});

test("roots that do not fit are refused", async (context) => {
  const workshop = await workshopOf(context);
  const { trust, offline, now } = workshop;
  const { online } = await trust.view();
  const stranger = {
    root: signingKeyFrom(Buffer.alloc(32, 7)),
    targets: signingKeyFrom(Buffer.alloc(32, 8)),
  };
  const key = { keyId: stranger.root.keyId, publicKey: stranger.root.publicKey };

  await assert.rejects(trust.addRoot({ root: "{}" }), refuses("trust.metadata-invalid"));
  await assert.rejects(
    trust.addRoot({ root: buildRoot(offline, online, 2, now) }),
    refuses("trust.root-invalid", /version 2; 1 is next/),
  );
  const unsigned = parseRoot(buildRoot(offline, online, 1, now));
  unsigned.signatures = {};
  await assert.rejects(trust.addRoot({ root: metadataText(unsigned) }), refuses("trust.root-invalid"));
  for (const role of ["snapshot", "timestamp", "directive"] as const)
    await assert.rejects(
      trust.addRoot({ root: buildRoot(offline, { ...online, [role]: key }, 1, now) }),
      refuses("trust.root-invalid", new RegExp(`${role} key`)),
    );
  await assert.rejects(
    trust.addRoot({ root: buildRoot(offline, online, 1, now - 3651 * DAY) }),
    refuses("trust.metadata-expired"),
  );
  assert.equal(await trust.rootText(), null, "nothing of it was kept");

  await workshop.initTrust();
  await assert.rejects(
    trust.addRoot({ root: buildRoot(stranger, online, 2, now) }),
    refuses("trust.root-invalid"),
  );
  await assert.rejects(
    trust.addRoot({ root: buildRoot(stranger, online, 1, now) }),
    refuses("trust.root-invalid", /version 1; 2 is next/),
  );
});

test("a root rotates the keys when its predecessor signs it; the targets must follow", async (context) => {
  const workshop = await workshopOf(context);
  await workshop.initTrust();
  const { trust, offline, now } = workshop;
  const { online } = await trust.view();
  const next = { root: signingKeyFrom(Buffer.alloc(32, 7)), targets: signingKeyFrom(Buffer.alloc(32, 8)) };
  const root = parseRoot(buildRoot(next, online, 2, now));
  addSignature(root, offline.root);
  await assert.rejects(trust.addRoot({ root: metadataText(root) }), refuses("trust.metadata-invalid"));
  assert.equal((await trust.view()).versions.root, 1);
  const view = await trust.addRoot({ root: metadataText(root), targets: signTargets(next, 2, [], now) });
  assert.deepEqual(view.versions, { root: 2, targets: 2, snapshot: 2, timestamp: 2 });
  assert.ok(await trust.file("1.root.json"), "devices walk the roots one by one");
});

test("snapshot and timestamp are renewed before they expire, also after a long stop", async (context) => {
  const workshop = await workshopOf(context);
  await workshop.initTrust();
  const { trust } = workshop;
  assert.equal(await trust.refresh(), false);
  workshop.now += 4 * DAY;
  assert.equal(await trust.refresh(), true);
  assert.deepEqual((await trust.view()).versions, { root: 1, targets: 1, snapshot: 1, timestamp: 2 });
  workshop.now += 400 * DAY;
  assert.equal(await trust.refresh(), true);
  const { versions, expires } = await trust.view();
  assert.deepEqual(versions, { root: 1, targets: 1, snapshot: 2, timestamp: 3 });
  assert.ok((expires.timestamp ?? 0) > workshop.now);
});
