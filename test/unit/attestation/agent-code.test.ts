import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { measureAgentCode } from "@muster/agent/attestation/agent-code";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-code-"));
});
after(() => rmSync(directory, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content);
}

const measure = (): Promise<string> => measureAgentCode(join(directory, "agent"));

beforeEach(() => {
  write("agent/package.json", '{"name": "agent", "version": "1.0.0", "dependencies": {"db": "1"}}');
  write("agent/dist/main.js", "run()");
  write(
    "node_modules/db/package.json",
    '{"name": "db", "version": "1.0.0", "optionalDependencies": {"gone": "1"}}',
  );
  write("node_modules/db/index.js", "exports.open = 1");
  write(`node_modules/db/bin/${process.platform}/db.node`, "native");
});

describe("the measured code of the agent", () => {
  it("is the same for the same files", async () => {
    const first = await measure();
    assert.match(first, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await measure(), first);
  });

  for (const path of [
    "agent/dist/main.js",
    "agent/dist/planted.js",
    "node_modules/db/index.js",
    "agent/node_modules/db/package.json",
    `node_modules/db/bin/${process.platform}/db.node`,
    `node_modules/db/lib/libdb.so.1.2`,
  ])
    it(`changes with ${path}`, async () => {
      const before = await measure();
      write(path, '{"name": "db", "version": "1.0.0"}');
      assert.notEqual(await measure(), before);
      rmSync(join(directory, path));
    });

  for (const path of [
    "agent/README.md",
    "agent/dist/main.js.map",
    "node_modules/other/index.js",
    "node_modules/db/bin/plan9/../../notes.txt",
    `node_modules/db/bin/${process.platform === "win32" ? "linux" : "win32"}/db.node`,
  ])
    it(`does not change with ${path}`, async () => {
      const before = await measure();
      write(path, "something else");
      assert.equal(await measure(), before);
      rmSync(join(directory, path));
    });
});
