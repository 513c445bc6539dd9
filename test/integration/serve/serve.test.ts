import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type RunningControlPlane, serve } from "@muster/control-plane/serve";
import { isMusterError } from "@muster/shared/errors";

const settings = { deviceHost: "127.0.0.1", devicePort: 0, mqttPort: 0, operatorPort: 0 };
const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;

describe("serve", () => {
  let dataDir: string;
  let running: RunningControlPlane | undefined;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "muster-serve-"));
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (more = {}) => {
    running = await serve({ dataDir, settings: { ...settings, ...more } });
    return running;
  };

  it("makes all that it needs on the first start and tells the operator token once", async () => {
    const first = await start();
    assert.ok(first.operatorToken);
    const token = first.operatorToken;
    const status = (authorization: string) =>
      fetch(`${first.operatorUrl}/api/v1/devices`, { headers: { authorization } }).then(
        (answer) => answer.status,
      );
    assert.equal(await status(`Bearer ${token}`), 200);
    assert.equal(await status("Bearer no"), 401);
    for (const file of ["ca/ca.key", "ca/server.key", "keys/directive.key"])
      assert.equal(statSync(join(dataDir, file)).mode & 0o777, 0o600, file);
    const ca = await readFile(join(dataDir, "ca/ca.crt"), "utf8");
    await first.close();

    const second = await start();
    assert.equal(second.operatorToken, undefined);
    assert.equal(await readFile(join(dataDir, "ca/ca.crt"), "utf8"), ca);
    const answer = await fetch(`${second.operatorUrl}/api/v1/devices`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(answer.status, 200);
  });

  it("does not share its data directory, and gives it back at the end", async () => {
    const first = await start();
    await assert.rejects(serve({ dataDir, settings }), code("storage.in-use"));
    await first.close();
    await start();
  });

  it("takes the data directory over from a process that was killed", async () => {
    const script = `import { lockDataDirectory } from ${JSON.stringify(import.meta.resolve("@muster/control-plane/storage/lock"))};
      await lockDataDirectory(process.argv[1]); console.log("locked"); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script, dataDir]);
    await once(holder.stdout, "data");
    await assert.rejects(serve({ dataDir, settings }), (error) => {
      assert.ok(code("storage.in-use")(error));
      assert.match(String(error), new RegExp(`Process ${holder.pid} `));
      return true;
    });
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await start();
  });

  it("refuses a database that is broken, missing or newer, and touches nothing", async () => {
    await (await start()).close();
    const file = join(dataDir, "control.db");
    const good = await readFile(file);

    const broken = Buffer.from(good);
    broken.fill(0x5a, 100, 8192);
    await writeFile(file, broken);
    await assert.rejects(serve({ dataDir, settings }), code("storage.broken"));
    assert.deepEqual(await readFile(file), broken);

    await writeFile(file, "this is no database, and it is longer than the header of one".repeat(100));
    await assert.rejects(serve({ dataDir, settings }), code("storage.broken"));

    await rm(file);
    await assert.rejects(serve({ dataDir, settings }), code("storage.broken"));
    assert.equal(existsSync(file), false);

    await writeFile(file, good);
    const { default: Sqlite } = await import("better-sqlite3");
    const db = new Sqlite(file);
    db.prepare("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-future', 'later')").run();
    db.close();
    await assert.rejects(serve({ dataDir, settings }), code("storage.newer"));
  });

  it("refuses settings that cannot be used, and leaves nothing open", async () => {
    await assert.rejects(
      serve({ dataDir, settings: { ...settings, devicePort: 70_000 } }),
      code("settings.invalid"),
    );
    await assert.rejects(
      serve({ dataDir, settings: { ...settings, publicMqttUrl: "http://x" } }),
      code("settings.invalid"),
    );
    await assert.rejects(
      serve({ dataDir, settings: { ...settings, operatorCertFile: join(dataDir, "none") } }),
      code("settings.invalid"),
    );
    const first = await start();
    const port = Number(new URL(first.deviceUrl).port);
    const other = await mkdtemp(join(tmpdir(), "muster-serve-"));
    await assert.rejects(
      serve({ dataDir: other, settings: { ...settings, devicePort: port } }),
      code("settings.invalid"),
    );
    assert.ok((await readdir(other)).includes("control.db"));
    const free = await serve({ dataDir: other, settings });
    await free.close();
    await rm(other, { recursive: true });
  });
});
