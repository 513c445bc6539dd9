import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultMemoryLimit, MemoryWatch } from "@muster/agent/inference/memory";
import { MAX_SOCKET_PATH, SocketPaths } from "@muster/agent/inference/socket-paths";
import { BatchTimes } from "@muster/agent/runner/batch-times";
import { BatchWatch } from "@muster/agent/runner/batch-watch";
import { Siblings } from "@muster/agent/runner/forward/siblings";
import type { Standing } from "@muster/agent/runner/forward/standing";
import type { LoadedModel } from "@muster/agent/runner/model";
import fc from "fast-check";

const MIB = 1024 * 1024;

describe("memory of a runner", () => {
  /** Judges sizes in MiB, one each second. */
  const judge = (limit: number, sizes: number[], everyMs = 1000) => {
    const watch = new MemoryWatch(limit * MIB);
    return sizes.map((size, index) => watch.judge(size * MIB, index * everyMs) !== undefined);
  };

  test("is judged by its limit", () =>
    assert.deepEqual(judge(200, [90, 199, 200, 201]), [false, false, false, true]));
  test("a limit that is hardly above what loading took gives way", () =>
    assert.deepEqual(judge(100, [100, 125, 126]), [false, false, true]));
  test("twice the warm size and some is a leak, long before the limit", () =>
    assert.deepEqual(judge(4000, [100, 150, 150, 364, 365], 400_000), [false, false, false, false, true]));
  test("while it warms up, no size is a leak", () =>
    assert.deepEqual(judge(4000, [100, 1000, 2000, 3900]), [false, false, false, false]));
  test("without a setting all runners share half of the box", () => {
    assert.equal(defaultMemoryLimit(8192 * MIB, 1), 4096 * MIB);
    assert.equal(defaultMemoryLimit(8192 * MIB, 4), 1024 * MIB);
    assert.equal(defaultMemoryLimit(512 * MIB, 4), 256 * MIB);
  });
});

describe("runners of an agent that was killed", () => {
  const HANGS = "process.title = 'muster-runner'; process.stdout.write('up'); for (;;);";
  /** A runner that hangs: a child of this process, or of one that has ended. */
  async function hanging(isOrphan: boolean): Promise<number> {
    const node = `"${process.execPath}" -e "${HANGS}"`;
    const child = spawn("/bin/sh", ["-c", isOrphan ? `${node} & echo $!` : `exec ${node}`]);
    let said = "";
    for await (const chunk of child.stdout) {
      said += chunk;
      if (said.includes("up")) break;
    }
    return isOrphan ? Number.parseInt(said, 10) : child.pid!;
  }
  const isGone = (pid: number): boolean => {
    try {
      return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return true;
    }
  };

  test("are ended where they hang; those of an agent that lives are left alone", {
    skip: process.platform !== "linux",
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-orphans-"));
    const [orphan, child] = [await hanging(true), await hanging(false)];
    try {
      const base = join(directory, "i.sock");
      for (const pid of [orphan, child]) writeFileSync(`${base}.${pid}`, "");
      new SocketPaths(base).tidy();
      while (!isGone(orphan)) await sleep(10);
      assert.deepEqual(readdirSync(directory), [`i.sock.${child}`]);
      assert.equal(isGone(child), false);
    } finally {
      for (const pid of [orphan, child]) if (!isGone(pid)) process.kill(pid, "SIGKILL");
      rmSync(directory, { recursive: true });
    }
  });
});

describe("what a batch may take", () => {
  test("the longest time of its size, or of the nearest in proportion", () => {
    const times = new BatchTimes();
    assert.equal(times.expected(64), undefined);
    times.record(64, 10);
    assert.deepEqual([times.expected(64), times.expected(256), times.expected(4)], [10, 40, 10]);
    times.record(256, 25);
    assert.deepEqual([times.expected(256), times.expected(128)], [25, 20]);
  });

  test("a time that is never seen again is forgotten slowly, and never below what is seen", () => {
    const ms = fc.double({ min: 0.01, max: 1000, noNaN: true });
    fc.assert(
      fc.property(ms, ms, (first, then) => {
        const times = new BatchTimes();
        times.record(8, first);
        for (let count = 0; count < 2000; count++) times.record(8, then);
        const expected = times.expected(8)!;
        assert.ok(expected >= then && expected <= Math.max(then * 1.001, first * 1e-6));
      }),
    );
  });

  const model = (run: () => Promise<never[]>) =>
    ({ deployment: { name: "m" }, inputs: [], outputs: [], run }) as unknown as LoadedModel;
  const input = [{ name: "x", datatype: "FP32", shape: [1], data: new Float32Array(1) }] as const;

  test("only a batch that may take longer than any silence is announced", async () => {
    let now = 0;
    let takes = 40;
    const told: (number | null)[] = [];
    const watch = new BatchWatch(
      1000,
      (limit) => told.push(limit),
      () => now,
    );
    const watched = watch.watch(
      model(async () => {
        now += takes;
        return [];
      }),
    );
    await watched.run(input, []);
    await watched.run(input, []);
    assert.deepEqual(told, []);
    takes = 60;
    await watched.run(input, []);
    await watched.run(input, []);
    assert.deepEqual(told, [1200, null]);
    assert.equal(watch.running(), null);
  });

  test("it is known what runs, and for how long, also after a failure", async () => {
    let now = 0;
    const watch = new BatchWatch(
      1000,
      () => {},
      () => now,
    );
    let fail: (error: Error) => void = () => {};
    const watched = watch.watch(model(() => new Promise((_, reject) => (fail = reject))));
    const run = watched.run(input, []);
    now = 70;
    assert.deepEqual(watch.running(), { model: "m", ms: 70, limitMs: 1000 });
    fail(new Error("broken"));
    await assert.rejects(run);
    assert.equal(watch.running(), null);
  });
});

describe("what a runner knows of its siblings", () => {
  const standing = (
    name: string,
    version: string,
    runner: string,
    more: Partial<Standing> = {},
  ): Standing => ({
    ...{ name, version, runner, state: "ready", reason: "", socket: `/run/${runner}` },
    ...more,
  });

  test("alone it knows of nobody", () => {
    const siblings = new Siblings("a#1");
    assert.deepEqual([siblings.find("x"), siblings.ready, siblings.standings], [undefined, true, []]);
    siblings.update([standing("x", "1", "a#1")]);
    assert.deepEqual([siblings.find("x"), siblings.ready], [undefined, true]);
  });

  test("the first of a name in the release is meant without a version, whoever has it", () => {
    const siblings = new Siblings("a#1");
    siblings.update([standing("x", "2", "b#1"), standing("x", "1", "a#1"), standing("y", "1", "a#1")]);
    assert.equal(siblings.find("x")?.runner, "b#1");
    assert.equal(siblings.find("x", "1"), undefined);
    assert.equal(siblings.find("y"), undefined);
    assert.equal(siblings.find("z"), undefined);
  });

  test("the box is ready when every sibling is", () => {
    const siblings = new Siblings("a#1");
    siblings.update([standing("x", "2", "b#1", { state: "starting" }), standing("y", "1", "a#1")]);
    assert.equal(siblings.ready, false);
    siblings.update([standing("x", "2", "b#1"), standing("y", "1", "a#1", { state: "failed" })]);
    assert.equal(siblings.ready, true);
  });
});

describe("sockets of runners", () => {
  test("what an agent that was killed left behind is removed, and nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-sockets-"));
    try {
      const kept = ["i.sock", "i.sock.eyes-cpu", `i.sock.${process.pid}`, "i.sock.12x", "other.sock.4194399"];
      for (const name of [...kept, "i.sock.4194399"]) writeFileSync(join(folder, name), "");
      new SocketPaths(join(folder, "i.sock")).tidy();
      assert.deepEqual(readdirSync(folder).toSorted(), kept.toSorted());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("are as long as a socket may be at most: siblings use another place then, applications have none", () => {
    const long = new SocketPaths(`/${"d".repeat(MAX_SOCKET_PATH - 10)}/i.sock`);
    try {
      assert.equal(long.group("default-cpu"), null);
      const path = long.runner(4_194_304);
      assert.ok(Buffer.byteLength(path) <= MAX_SOCKET_PATH);
      assert.ok(existsSync(dirname(path)));
      long.close();
      assert.equal(existsSync(dirname(path)), false);
      assert.equal(new SocketPaths("/run/i.sock").group("eyes-cpu"), "/run/i.sock.eyes-cpu");
    } finally {
      long.close();
    }
  });
});
