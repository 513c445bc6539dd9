import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("no parser crashes, hangs or grows without bound on a few inputs", () => {
  const script = fileURLToPath(new URL("../../fuzz/main.js", import.meta.url));
  const args = [script, "--inputs", "25", "--seed", "20261122"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const { targets, faults } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "").fuzz;
  assert.deepEqual(faults, []);
  assert.ok(targets.length > 30);
  for (const { target, inputs, accepted } of targets) {
    assert.equal(inputs, 25, target);
    assert.ok(accepted > 0, `${target} takes none of its own seeds`);
  }
});
