import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { BenchBox, GOLDEN, isRunning, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

test("a runner leaves it to its agent what to do about signals", async () => {
  const box = await BenchBox.create();
  try {
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    const { pid } = box.inference.status();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid!, signal);
    assert.equal((await classify({ url: box.url }, [1, 0, 0, 0])).status, 200);
    assert.equal(box.inference.status().pid, pid);
  } finally {
    await box.close();
  }
});

test("no runner is left when its agent is killed", async () => {
  const agent = spawn(process.execPath, [fileURLToPath(new URL("./serve-forever.js", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = await once(createInterface(agent.stdout), "line");
    const { directory, pids } = JSON.parse(line) as { directory: string; pids: number[] };
    assert.equal(pids.length, 1);
    assert.ok(pids.every(isRunning));
    agent.kill("SIGKILL");
    await until(() => !pids.some(isRunning), "the runner has ended");
    await rm(directory, { recursive: true, force: true });
  } finally {
    agent.kill("SIGKILL");
  }
});
