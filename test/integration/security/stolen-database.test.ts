import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import Sqlite from "better-sqlite3";
import { until } from "../../plant/wait.ts";
import { Site } from "./site.ts";

const STRANGER = signingKeyFrom(Buffer.alloc(32, 66));

/** Somebody has a copy of the databases, and later writes to them; the key files beside them are not his. */
describe("a stolen database of the control plane", () => {
  let site: Site;
  let copies: Buffer[];

  before(async () => {
    site = await Site.open();
    await site.release("1.0.0");
    await site.startRollout("1.0.0");
    await site.runs("1.0.0");
    const { dataDirectory } = site.plant.controlPlane;
    copies = ["control.db", "telemetry.db"].map((name) => {
      const db = new Sqlite(join(dataDirectory, name), { readonly: true });
      const copy = db.serialize();
      db.close();
      return copy;
    });
  });
  after(() => site?.close());

  const isThere = (text: string | Buffer): boolean => copies.some((copy) => copy.includes(text));

  it("holds no token, no private key and no seed, in any spelling", () => {
    const { plant } = site;
    const secrets = new Map<string, string>([
      ["operator token", plant.controlPlane.operatorToken.split(".")[2] ?? ""],
      ["join token", parseJoinToken(plant.joinToken).secret],
    ]);
    for (const dir of [join(plant.controlPlane.dataDirectory, "keys"), plant.keys])
      for (const name of readdirSync(dir).filter((each) => each.endsWith(".key")))
        secrets.set(`${dir}/${name}`, readFileSync(join(dir, name), "utf8").trim());
    for (const [name, secret] of secrets) {
      assert.ok(secret.length >= 20, name);
      const spellings = [secret, Buffer.from(secret, "hex"), Buffer.from(secret, "hex").toString("base64")];
      for (const spelling of spellings)
        if (spelling.length >= 16) assert.equal(isThere(spelling), false, name);
    }
    assert.equal(isThere("PRIVATE KEY"), false);
  });

  it("lets nobody in: what it has of tokens are digests", async () => {
    const file = join(site.plant.controlPlane.dataDirectory, "control.db");
    const db = new Sqlite(file, { readonly: true });
    const row = db.prepare("SELECT id, secret_hash FROM operator_tokens").get() as {
      id: string;
      secret_hash: string;
    };
    db.close();
    for (const token of [`muop1.${row.id}.${row.secret_hash}`, row.secret_hash, row.id]) {
      const { operatorUrl } = site.plant.controlPlane.addresses;
      const answer = await fetch(`${operatorUrl}/api/v1/devices`, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(answer.status, 401);
    }
  });

  it("cannot be turned into an order: a directive that was written into it is refused by the device", async () => {
    const { plant } = site;
    await site.release("2.0.0");
    const { id, generation } = await site.facts();
    await plant.controlPlane.stop();
    const db = new Sqlite(join(plant.controlPlane.dataDirectory, "control.db"));
    const stored = db.prepare("SELECT directive FROM devices WHERE id = ?").pluck().get(id) as string;
    const { payload } = JSON.parse(stored) as { payload: { release: { version: string } } };
    const release = db
      .prepare("SELECT name, version, sequence, digest FROM releases WHERE version = '2.0.0'")
      .get();
    const evil = { ...payload, generation: generation + 1, release } as never;
    const forged = JSON.stringify(signDirective(evil, STRANGER));
    db.prepare("UPDATE devices SET directive = ?, generation = ? WHERE id = ?").run(
      forged,
      generation + 1,
      id,
    );
    db.close();
    await plant.controlPlane.start();
    const { name } = plant.device;
    await until("the device to refuse the forged directive", 60_000, async () => {
      const { entries } = await plant
        .api()
        .get<{ entries: { code?: string }[] }>(`/devices/${name}/timeline`);
      return entries.some(({ code }) => code === "directive.signature-invalid") || undefined;
    });
    assert.equal((await site.facts()).running?.version, "1.0.0");
    // Those who may, can still say what is to run: the next signed directive goes past the forged one.
    await site.startRollout("2.0.0");
    await site.runs("2.0.0");
  });
});
