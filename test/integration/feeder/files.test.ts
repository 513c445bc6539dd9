import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FAIR } from "@muster/agent/power/conditions";
import { GOLDEN, isRunning, until } from "../runner/bench-box.ts";
import { trap } from "../runner/models.ts";
import { FeederBox, signal } from "./feeder-box.ts";

const QUICK = { settleMs: 30, scanMs: 20 } as const;

test("each file of a folder is answered once, also over restarts and kills", async () => {
  const box = await FeederBox.create();
  try {
    const path = await box.folder("in");
    const source = { kind: "file", name: "in", model: "classifier", path, ...QUICK } as const;
    const put = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, at) =>
          writeFile(join(path, `${from + at}.raw`), signal((from + at) % 4)),
        ),
      );
    await put(0, 40);
    box.start([source]);
    await until(() => box.recorded("in").length >= 10, "some are answered");
    process.kill(box.feeder!.status().pid!, "SIGKILL");
    await put(40, 60);
    await until(() => new Set(box.recorded("in").map(({ body }) => body.id)).size === 60, "all are answered");
    await box.feeder!.stop();
    box.start([source]);
    await put(60, 70);
    await until(
      () => new Set(box.recorded("in").map(({ body }) => body.id)).size === 70,
      "the new ones are answered",
    );
    await box.feeder!.stop();
    // A kill may come between storing a result and noting the file: then the same id comes again.
    assert.ok(box.recorded("in").length <= 71, `${box.recorded("in").length} results of 70 files`);
    assert.equal((await readdir(path)).length, 70);
    assert.equal(box.events.filter(({ code }) => code === "feeder.crashed").length, 1);
  } finally {
    await box.close();
  }
});

test("files are moved, deleted or kept by rule; what is refused goes its own way; the runner is unharmed", async () => {
  const box = await FeederBox.create();
  try {
    const path = await box.folder("in");
    const [done, failed] = [join(box.directory, "done"), join(box.directory, "failed")];
    await writeFile(join(path, "good.raw"), signal(2));
    await writeFile(join(path, "short.raw"), Uint8Array.of(1, 2, 3));
    await writeFile(join(path, "large.raw"), new Uint8Array(2 * 1024 * 1024));
    await writeFile(join(path, "other.txt"), "not asked for");
    await writeFile(join(path, ".hidden.raw"), signal(1));
    await symlink("/etc/hostname", join(path, "link.raw"));
    await mkdir(join(path, "folder.raw"));
    await mkdir(done);
    await writeFile(join(done, "good.raw"), "one of this name is there");
    const { pid } = box.bench.inference.status();
    box.start([
      {
        kind: "file",
        name: "in",
        model: "classifier",
        path: join(path, "*.raw"),
        done: { move: done },
        failed: { move: failed },
        maxMib: 1,
        ...QUICK,
      },
    ]);
    await until(async () => (await readdir(path)).length === 4, "three files are settled");
    assert.deepEqual((await readdir(path)).sort(), [".hidden.raw", "folder.raw", "link.raw", "other.txt"]);
    assert.equal((await readdir(done)).length, 2);
    assert.deepEqual((await readdir(failed)).sort(), ["large.raw", "short.raw"]);
    assert.deepEqual(box.labels("in"), ["blue"]);
    await until(() => box.source("in")?.rejected === 2, "the counts have come");
    const { answered, received } = box.source("in")!;
    assert.deepEqual([answered, received], [1, 3]);
    assert.ok(box.events.every(({ code }) => code === "source.rejected"));
    assert.equal(box.events.length, 2);
    assert.equal(box.bench.inference.status().pid, pid);
  } finally {
    await box.close();
  }
});

test("a file that is still being written is left alone, one written anew is taken again", async () => {
  const box = await FeederBox.create();
  try {
    const path = await box.folder("in");
    box.start([
      { kind: "file", name: "in", model: "classifier", path, done: "delete", settleMs: 1000, scanMs: 20 },
    ]);
    for (let count = 0; count < 15; count++) {
      await writeFile(join(path, "growing.raw"), signal(0).subarray(0, count + 1));
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await writeFile(join(path, "growing.raw"), signal(0));
    await until(() => box.recorded("in").length === 1, "it is taken when it is whole");
    await until(async () => (await readdir(path)).length === 0, "it is deleted");
    await writeFile(join(box.directory, "beside"), signal(3));
    await rename(join(box.directory, "beside"), join(path, "growing.raw"));
    await until(() => box.recorded("in").length === 2, "the new one is taken");
    assert.deepEqual(box.labels("in"), ["red", "none"]);
    await until(() => box.source("in")?.answered === 2, "both are counted");
    assert.equal(box.source("in")?.rejected, 0);
  } finally {
    await box.close();
  }
});

test("files wait while the runner is away", async () => {
  const box = await FeederBox.create();
  try {
    const path = await box.folder("in");
    const name = "in";
    box.start([{ kind: "file", name, model: "classifier", path, ...QUICK }]);
    await writeFile(join(path, "a.raw"), signal(1));
    await until(() => box.source("in")?.answered === 1, "the first is answered");
    const { pid } = box.bench.inference.status();
    process.kill(pid!, "SIGKILL");
    await until(() => !isRunning(pid!), "the runner is gone");
    await writeFile(join(path, "b.raw"), signal(2));
    await until(() => box.recorded("in").length === 2, "the second is answered by the next runner");
    assert.deepEqual(box.labels("in"), ["green", "blue"]);
  } finally {
    await box.close();
  }
});

test("a file that the runner dies of is given up, and the others are answered", {
  skip: process.arch !== "x64",
}, async () => {
  const box = await FeederBox.create();
  try {
    const path = await box.folder("in");
    const request = (a: number, b: number) => {
      const tensor = (name: string, value: number) => ({
        name,
        datatype: "INT32",
        shape: [1],
        data: [value],
      });
      return JSON.stringify({ inputs: [tensor("a", a), tensor("b", b)] });
    };
    await box.bench.serve([await box.bench.model("trap", trap(), GOLDEN.trap)], 2);
    await writeFile(join(path, "a.json"), request(-(2 ** 31), -1));
    await writeFile(join(path, "b.json"), request(9, 3));
    box.start([{ kind: "file", name: "in", model: "trap", path, ...QUICK }]);
    await until(
      () => box.source("in")?.answered === 1 && box.source("in")?.rejected === 1,
      "both are settled",
    );
    assert.equal(box.bench.inference.observed().crashes, 2);
    assert.match(
      box.events.find(({ code }) => code === "source.rejected")?.message ?? "",
      /a\.json.*runner\.crashed/,
    );
  } finally {
    await box.close();
  }
});

test("best-effort work waits as long as the runner defers it, what is urgent goes on", async () => {
  const box = await FeederBox.create();
  try {
    const [urgent, idle] = [await box.folder("urgent"), await box.folder("idle")];
    const file = { kind: "file", model: "classifier", ...QUICK } as const;
    box.bench.inference.setConditions({
      ...FAIR,
      bestEffort: { perSecond: null, deferredUntil: Date.now() + 600_000 },
    });
    await writeFile(join(idle, "a.raw"), signal(0));
    await writeFile(join(urgent, "a.raw"), signal(1));
    box.start([
      { ...file, name: "idle", path: idle, tier: "best-effort" },
      { ...file, name: "urgent", path: urgent, tier: "critical" },
    ]);
    await until(() => box.recorded("urgent").length === 1, "the urgent one is answered");
    await until(() => box.source("idle")?.deferred === 1, "the other one is deferred");
    await until(() => box.source("urgent")?.answered === 1, "it is counted");
    assert.equal(box.recorded("idle").length, 0);
  } finally {
    await box.close();
  }
});

test("no feeder is left when its agent is killed", async () => {
  const box = await FeederBox.create();
  try {
    const agent = spawn(
      process.execPath,
      [fileURLToPath(new URL("./feed-forever.js", import.meta.url)), box.directory],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const [line] = await once(createInterface(agent.stdout), "line");
    const pid = Number(line);
    assert.ok(isRunning(pid));
    agent.kill("SIGKILL");
    await until(() => !isRunning(pid), "the feeder has ended");
  } finally {
    await box.close();
  }
});
