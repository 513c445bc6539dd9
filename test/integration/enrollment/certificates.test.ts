import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { isMusterError } from "@muster/shared/errors";
import { rsaKey } from "../../support/fleet/keys.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;
const DAY = 86_400_000;
const now = Date.now();

describe("certificate authority", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-ca-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("makes a CA once, with its key for the owner only", async () => {
    const first = await Authority.open(dir, now);
    assert.equal((await stat(join(dir, "ca.key"))).mode & 0o777, 0o600);
    const ca = new X509Certificate(first.certificate);
    assert.equal(ca.ca, true);
    assert.ok(ca.verify(ca.publicKey));
    assert.equal((await Authority.open(dir, now)).pin, first.pin);
  });

  it("goes on after a first start that was cut off, and never replaces a CA", async () => {
    await writeFile(join(dir, "ca.key"), "half a k");
    const first = await Authority.open(dir, now);
    const key = await readFile(join(dir, "ca.key"), "utf8");
    await unlink(join(dir, "ca.key"));
    await assert.rejects(Authority.open(dir, now), code("storage.broken"));
    await writeFile(join(dir, "ca.key"), rsaKey());
    await assert.rejects(Authority.open(dir, now), code("storage.broken"));
    await writeFile(join(dir, "ca.key"), "nonsense");
    await assert.rejects(Authority.open(dir, now), code("storage.broken"));
    await writeFile(join(dir, "ca.key"), key);
    assert.equal((await Authority.open(dir, now)).pin, first.pin);
  });

  it("gives every certificate its own serial, positive and without padding", async () => {
    const authority = await Authority.open(dir, now);
    const key = createPublicKey(rsaKey());
    const serials = Array.from({ length: 50 }, () => authority.issueDevice("d", key, 1, now).serial);
    assert.equal(new Set(serials).size, 50);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/);
  });

  it("renews the server certificate after two thirds of its life and for new names, while it runs", async () => {
    const authority = await Authority.open(dir, now);
    const identity = await ServerIdentity.open(authority, dir, ["localhost", "127.0.0.1"], now);
    let renewals = 0;
    identity.onRenewed(() => {
      renewals += 1;
    });
    const first = identity.secureContext().cert;
    assert.equal(await identity.renewIfDue(now + 263 * DAY), false);
    assert.equal(await identity.renewIfDue(now + 266 * DAY), true);
    assert.notEqual(identity.secureContext().cert, first);
    assert.equal(renewals, 1);

    const same = await ServerIdentity.open(authority, dir, ["localhost"], now + 266 * DAY);
    assert.equal(same.secureContext().cert, identity.secureContext().cert);
    const more = await ServerIdentity.open(
      authority,
      dir,
      ["localhost", "fleet.example.org", "::1"],
      now + 266 * DAY,
    );
    const certificate = new X509Certificate(more.secureContext().cert);
    assert.ok(certificate.checkHost("fleet.example.org"));
    assert.ok(certificate.checkIP("::1"));
    assert.equal(certificate.checkHost("other.example.org"), undefined);
    await writeFile(join(dir, "server.crt"), "nonsense");
    const mended = await ServerIdentity.open(authority, dir, ["localhost"], now);
    assert.ok(
      new X509Certificate(mended.secureContext().cert).verify(
        new X509Certificate(authority.certificate).publicKey,
      ),
    );
  });
});
