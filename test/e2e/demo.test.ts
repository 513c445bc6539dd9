import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Summary } from "../demo/summary.ts";

const DEMO = fileURLToPath(new URL("../demo/main.js", import.meta.url));

test("the demo tells its story to the end, and every result that was answered is stored", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [DEMO, "--once"], { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Summary;
  assert.equal(summary.devices, 8);
  assert.equal(summary.sites, 3);
  assert.ok(summary.resultsProduced > 0 && summary.resultsProducedDuringOutage > 0);
  assert.equal(summary.resultsStored, summary.resultsProduced);
  assert.deepEqual(summary.devicesPerRelease, { "vibration 1.1.0": 8 });
  assert.equal(summary.devicesThatSawTheBadRelease, 2, "only the canary wave saw it");
  assert.equal(summary.devicesThatPass, 8);
  assert.ok(summary.auditEntries > 0);
});
