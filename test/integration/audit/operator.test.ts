import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AuditEntryResource, AuditHead, AuditPage } from "@muster/control-plane/api/schemas/audit";
import Sqlite from "better-sqlite3";
import { runMuster, TestControlPlane } from "../../support/operator/control-plane.ts";

const SECRET = "kept-from-the-log-4711";

describe("muster audit", () => {
  let plane: TestControlPlane;
  let file: string;
  before(async () => {
    plane = await TestControlPlane.start("--set", "auditRefusalsPerMinute=5");
    file = join(plane.home, "audit.jsonl");
  });
  after(() => plane?.close());

  const entries = async (query: string): Promise<AuditEntryResource[]> =>
    ((await (await plane.call("GET", `/audit?after=0&limit=1000&${query}`)).json()) as AuditPage).entries;
  /** On the port that it had: another one is another control plane to those who saw it before. */
  const again = async () => {
    plane = await plane.restart("SIGTERM", "--operator-port", new URL(plane.url).port);
  };
  const publicKey = async (): Promise<string> =>
    ((await (await plane.call("GET", "/audit/head")).json()) as AuditHead).publicKey;

  it("has every change on record with who made it, and every call with its outcome", async () => {
    const me = (await plane.json<{ id: string; name: string }[]>("operator", "list"))[0];
    const freeze = (
      await plane.muster(["freeze", "create", "--to", "+1h", "--reason", "fair"])
    ).stdout.trim();
    await plane.call("PUT", "/alerts/receivers/pager", {
      webhook: { url: "http://127.0.0.1:9/hook" },
      secret: SECRET,
    });
    const [change] = await entries(`subject=freeze/${freeze}`);
    assert.deepEqual(
      [change?.action, change?.actor, change?.detail.reason],
      ["freeze.create", { kind: "operator", id: me?.id, name: me?.name }, "fair"],
    );
    const [call] = await entries("action=api.post&subject=/api/v1/freezes");
    assert.deepEqual([call?.actor.id, call?.detail.outcome, call?.detail.status], [me?.id, "done", 201]);
    assert.match(String(call?.detail.body), /^hmac-sha256:[0-9a-f]{64}$/);
    assert.equal((await entries("action=operator.create"))[0]?.actor.kind, "system", "the first one");
    assert.equal((await entries("action=api.get")).length, 0, "reading is not on record");
    assert.ok(!JSON.stringify(await entries("")).includes(SECRET));
  });

  it("has refused calls on record, and counts those beyond the limit", async () => {
    const ask = (authorization: string) =>
      plane.call("DELETE", "/freezes/nobody", undefined, { authorization });
    for (let index = 0; index < 12; index += 1) await ask("Bearer muop1.nobody.wrong");
    assert.equal((await plane.call("DELETE", "/freezes/nobody")).status, 404);
    const refused = await entries("actor=unknown");
    assert.equal(refused.length, 5);
    assert.deepEqual(
      [refused[0]?.detail.outcome, refused[0]?.detail.code, refused[0]?.subject],
      ["refused", "request.unauthorized", "/api/v1/freezes/nobody"],
    );
    const next = (await entries("action=api.delete")).find(
      ({ detail }) => detail.code === "request.not-found",
    );
    assert.equal(next?.detail.leftOut, 7);
  });

  it("has on record who made an operator on the machine itself, past the API", async () => {
    const made = await plane.muster(["operator", "create", "rescue", "--data", plane.ready.dataDir]);
    assert.equal(made.code, 0, made.stderr);
    const created = (await entries("action=operator.create")).at(-1);
    assert.deepEqual([created?.actor.id, created?.detail.name], ["local", "rescue"]);
    assert.match(created?.actor.name ?? "", / at its machine$/);
  });

  it("lists, filters and shows for people", async () => {
    const list = await plane.muster(["audit", "list", "--action", "freeze", "--from", "-1h"]);
    assert.match(list.stdout, /SEQ +AT +BY +ACTION +SUBJECT +DETAIL\n +\d+ .* freeze\.create +freeze\//);
    const [entry] = await plane.json<AuditEntryResource[]>("audit", "list", "--action", "freeze.create");
    const shown = await plane.muster(["audit", "show", String(entry?.seq)]);
    assert.match(
      shown.stdout,
      new RegExp(`Entry ${entry?.seq} of 20[\\s\\S]*reason +fair[\\s\\S]*${entry?.digest}`),
    );
    assert.equal((await plane.muster(["audit", "show", "99999"])).code, 4);
    assert.equal((await plane.muster(["audit", "list", "--from", "yesterday"])).code, 2);
    assert.match((await plane.muster(["audit", "list", "--actor", "nobody"])).stderr, /no such entry/);
  });

  it("is closed to who is not signed in", async () => {
    for (const path of ["/audit", "/audit/head", "/audit/checkpoints", "/audit/1"])
      assert.equal((await plane.call("GET", path, undefined, { authorization: "" })).status, 401, path);
  });

  it("verifies online, exports, and verifies the file without a control plane", async () => {
    const online = await plane.muster(["audit", "verify"]);
    assert.equal(online.code, 0, online.stderr);
    assert.match(online.stdout, /The audit log is whole: entries 1 to \d+ read/);
    assert.match(online.stderr, /key was not known before/);
    assert.doesNotMatch((await plane.muster(["audit", "verify"])).stderr, /key was not known/);

    assert.equal((await plane.muster(["audit", "export", file])).code, 0);
    assert.equal((await plane.muster(["audit", "export", file])).code, 2, "never replaces a file");
    const key = (await plane.muster(["audit", "key"])).stdout.trim();
    assert.equal(key, await publicKey());
    const offline = await runMuster(["audit", "verify", file, "--key", key], { HOME: plane.home });
    assert.equal(offline.code, 0, offline.stderr);
    const wrong = await runMuster(["audit", "verify", file, "--key", "1".repeat(64)], { HOME: plane.home });
    assert.equal(wrong.code, 1);
  });

  it("finds any tampering with an export, and says where", async () => {
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    const key = await publicKey();
    const swapped = [...lines];
    [swapped[3], swapped[4]] = [lines[4] ?? "", lines[3] ?? ""];
    const cases: [string[], RegExp][] = [
      [
        lines.map((line, index) =>
          index === 2 ? line.replace(/"seq":2/, '"seq":2,"at":1').replace(/,"at":1\d+/, "") : line,
        ),
        /Entry 2 .*edited/,
      ],
      [lines.filter((_, index) => index !== 3), /Entry 3 is missing/],
      [swapped, /out|behind|missing/],
      [lines.slice(0, -3), /the log ends with entry \d+: what came after is gone/],
    ];
    for (const [changed, finding] of cases) {
      const copy = join(plane.home, "copy.jsonl");
      await writeFile(copy, `${changed.join("\n")}\n`);
      const { code, stdout } = await runMuster(["audit", "verify", copy, "--key", key], { HOME: plane.home });
      assert.equal(code, 1);
      assert.match(stdout, /NOT AS IT WAS WRITTEN/);
      assert.match(stdout, finding);
    }
    for (const text of ["", "no json\n", '{"format":"other"}\n', `${lines[0]}\n{"seq":1}\n`]) {
      const copy = join(plane.home, "broken.jsonl");
      await writeFile(copy, text);
      const { code, stderr } = await runMuster(["audit", "verify", copy], { HOME: plane.home });
      assert.equal(code, 1);
      assert.match(stderr, /audit\.export-invalid/);
    }
  });

  it("finds a log that was cut back, by the file beside it, and without that by what this machine saw", async () => {
    await plane.stop();
    const db = new Sqlite(join(plane.ready.dataDir, "control.db"));
    db.exec(`DROP TRIGGER audit_log_deleted; DELETE FROM audit_log WHERE seq > 4`);
    db.close();
    const checkpoints = join(plane.ready.dataDir, "audit-checkpoints.jsonl");
    const kept = await readFile(checkpoints, "utf8");
    await again();
    const found = await plane.muster(["audit", "verify"]);
    assert.equal(found.code, 1);
    assert.match(found.stdout, /cut back|another one than the checkpoint/);
    await plane.stop();
    await writeFile(checkpoints, "");
    const later = new Sqlite(join(plane.ready.dataDir, "control.db"));
    later.exec("DELETE FROM audit_log WHERE seq > 4");
    later.close();
    await again();
    const witnessed = await plane.muster(["audit", "verify"]);
    assert.equal(witnessed.code, 1, witnessed.stdout);
    assert.match(witnessed.stdout, /checkpoint of/);
    const stranger = await plane.muster(["audit", "verify"], { XDG_CONFIG_HOME: join(plane.home, "other") });
    assert.equal(stranger.code, 0, "a machine that saw nothing before cannot tell");
    assert.ok(kept.length > 0);
  });

  it("finds another key than the one that this machine knows", async () => {
    await plane.stop();
    const key = join(plane.ready.dataDir, "keys", "audit.key");
    await writeFile(key, `${"ab".repeat(32)}\n`);
    await again();
    const config = { XDG_CONFIG_HOME: join(plane.home, "other") };
    const changed = await plane.muster(["audit", "verify"], config);
    assert.equal(changed.code, 1);
    assert.match(changed.stdout, /audit key of this control plane is [0-9a-f]{64} now/);
  });
});
