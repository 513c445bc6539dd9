import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AuditPage } from "@muster/control-plane/api/schemas/audit";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

/** Somebody has the token of an operator at one site. */
describe("an operator account that was taken over", () => {
  let plane: TestControlPlane;
  let stolen: { id: string; token: string };

  before(async () => {
    plane = await TestControlPlane.start();
    const keys = join(plane.home, "keys");
    await plane.json("keys", "init", "--keys", keys);
    await plane.json("trust", "init", "--keys", keys);
    const made = await plane.json<{ operator: { id: string }; token: string }>(
      "operator",
      "create",
      "berlin",
      "--grant",
      "operator@eu/berlin",
    );
    stolen = { id: made.operator.id, token: made.token };
  });
  after(() => plane?.close());

  const asThief = (method: string, path: string, json?: unknown) =>
    plane.call(method, path, json, { authorization: `Bearer ${stolen.token}` });
  const codeOf = async (answer: Response) => ((await answer.json()) as Problem).code;

  it("may not make itself more than it is, nor touch what holds others in check", async () => {
    const attempts: [method: string, path: string, json?: unknown][] = [
      ["POST", "/operators", { name: "second" }],
      ["GET", "/operators"],
      ["DELETE", `/operators/${stolen.id}`],
      ["GET", "/audit"],
      ["GET", "/audit/head"],
      ["PUT", "/alerts/receivers/me", { webhook: { url: "http://127.0.0.1:9/" } }],
      ["POST", "/trust/root", { root: "{}" }],
    ];
    for (const [method, path, json] of attempts) {
      const answer = await asThief(method, path, json);
      assert.ok([403, 404].includes(answer.status), `${method} ${path}: ${answer.status}`);
    }
  });

  it("brings in no code: what the offline keys did not sign is refused, whoever asks", async () => {
    const release = { manifest: "{}", targets: "{}" };
    assert.equal(await codeOf(await asThief("POST", "/releases", release)), "access.denied");
    const asAdmin = await plane.call("POST", "/releases", release);
    assert.ok(asAdmin.status >= 400 && asAdmin.status < 500);
    const targets = {
      manifest: "{}",
      targets: JSON.stringify({ signed: { _type: "targets" }, signatures: [] }),
    };
    assert.ok((await plane.call("POST", "/releases", targets)).status >= 400);
    const { releases } = (await (await plane.call("GET", "/releases")).json()) as { releases: unknown[] };
    assert.deepEqual(releases, []);
  });

  it("leaves a trail that it cannot remove, and ends with its token", async () => {
    await writeFile(join(plane.home, "x"), "x");
    const page = (await (await plane.call("GET", "/audit?actor=berlin&limit=100")).json()) as AuditPage;
    const refused = page.entries.filter(({ detail }) => detail.code === "access.denied");
    assert.ok(refused.length >= 5, `${refused.length} refused calls are on record`);
    assert.ok(page.entries.every(({ actor }) => actor.id === stolen.id));
    assert.equal((await plane.muster(["operator", "revoke", stolen.id])).code, 0);
    assert.equal((await asThief("GET", "/devices")).status, 401);
    assert.equal((await plane.muster(["audit", "verify"])).code, 0);
  });
});
