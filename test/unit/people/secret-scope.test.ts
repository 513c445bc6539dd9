import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { SelectorSubject } from "@muster/control-plane/fleet/selector";
import { MasterKeys } from "@muster/control-plane/people/secrets/master-keys";
import {
  readScope,
  type SecretScope,
  scopeText,
  secretsFor,
} from "@muster/control-plane/people/secrets/scope";
import { isMusterError } from "@muster/shared/errors";

const subject = {
  id: "d1",
  name: "press-1",
  site: "eu/de/berlin",
  status: "active",
  effectiveLabels: { ring: "late" },
} as unknown as SelectorSubject;

describe("which secret a device gets", () => {
  const all: [scope: SecretScope, changedAt: number][] = [
    [{ selector: "ring=late" }, 9],
    [{ selector: "name=press-1" }, 8],
    [{ site: "*" }, 7],
    [{ site: "eu" }, 6],
    [{ site: "eu/de/berlin" }, 1],
    [{ device: "d1" }, 0],
    [{ device: "d2" }, 99],
    [{ site: "us" }, 99],
    [{ site: "eu/dead" }, 99],
    [{ selector: "ring=early" }, 99],
  ];
  const chosen = (from: typeof all) =>
    secretsFor(
      from.map(([scope, changedAt]) => ({ name: "camera", scope, changedAt })),
      subject,
    ).map(({ scope }) => scopeText(scope));

  it("is that of the board before where another took its place, behind what is its own", () => {
    const secrets = ["d0", "d-1", "d1", "d2"].map((device, changedAt) => ({
      name: "camera",
      scope: { device },
      changedAt,
    }));
    const of = (...devices: string[]) =>
      secretsFor(
        secrets.filter(({ scope }) => devices.includes(scope.device)),
        subject,
        ["d1", "d0", "d-1"],
      ).map(({ scope }) => scope.device);
    assert.deepEqual(of("d-1", "d2"), ["d-1"]);
    assert.deepEqual(of("d-1", "d0"), ["d0"]);
    assert.deepEqual(of("d-1", "d0", "d1"), ["d1"]);
    assert.deepEqual(of("d2"), []);
  });

  it("is that of the device, then of the nearest site, then of a selector, the newer one first", () => {
    const order = [
      "device:d1",
      "site:eu/de/berlin",
      "site:eu",
      "site:*",
      "selector:ring=late",
      "selector:name=press-1",
    ];
    let left = all;
    for (const wanted of order) {
      assert.deepEqual(chosen(left), [wanted]);
      assert.deepEqual(chosen([...left].reverse()), [wanted], "in whatever order they are stored");
      left = left.filter(([scope]) => scopeText(scope) !== wanted);
    }
    assert.deepEqual(chosen(left), [], "the others are not for it");
  });

  it("reads a scope as it was written", () => {
    for (const [scope] of all) assert.deepEqual(readScope(scopeText(scope)), scope);
  });
});

describe("master keys", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-master-"));
  });
  after(() => rm(dir, { recursive: true }));
  const unreadable = (error: unknown) => isMusterError(error, "secret.unreadable");

  it("open what they sealed, for what it was sealed for, also after a restart", async () => {
    const file = join(dir, "secrets.key");
    const keys = await MasterKeys.open(file);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const sealed = keys.seal(Buffer.from("hush"), "one");
    assert.notEqual(keys.seal(Buffer.from("hush"), "one").sealed, sealed.sealed);
    const again = await MasterKeys.open(file);
    assert.equal(again.open(sealed, "one").toString(), "hush");
    assert.throws(() => again.open(sealed, "two"), unreadable);
    const bytes = Buffer.from(sealed.sealed, "base64");
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => again.open({ ...sealed, sealed: changed.toString("base64") }, "one"), unreadable);
    }
    assert.throws(() => again.open({ ...sealed, sealed: "" }, "one"), unreadable);
  });

  it("are replaced without a moment in which something does not open", async () => {
    const file = join(dir, "rotated.key");
    const keys = await MasterKeys.open(file);
    const old = keys.seal(Buffer.from("hush"), "one");
    await keys.addKey();
    assert.equal((await MasterKeys.open(file)).open(old, "one").toString(), "hush");
    const renewed = keys.seal(Buffer.from("hush"), "one");
    assert.notEqual(renewed.keyId, old.keyId);
    await keys.forgetOld();
    assert.equal((await MasterKeys.open(file)).open(renewed, "one").toString(), "hush");
    assert.throws(
      () => keys.open(old, "one"),
      (error) => isMusterError(error, "secret.key-missing"),
    );
    assert.equal((await readFile(file, "utf8")).trim().split("\n").length, 1);
  });

  it("are not made anew over a file that is damaged", async () => {
    const file = join(dir, "damaged.key");
    for (const text of ["", "mk_0 AAAA\n", "garbage"]) {
      await writeFile(file, text);
      await assert.rejects(MasterKeys.open(file), (error) => isMusterError(error, "settings.invalid"));
      assert.equal(await readFile(file, "utf8"), text);
    }
  });
});
