import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { World } from "./world.ts";

const MIB = 1024 ** 2;
const [MOUNT, UNMOUNT] = ["mount", "umount"];

test("a release that does not fit is not begun; the device waits and serves on", async () => {
  let free = 10 * MIB;
  const world = await World.create({ freeBytes: async () => free, settings: { diskReserveBytes: MIB } });
  try {
    await world.install(world.release("1.0.0", 1));
    free = MIB;
    const requests = world.origin.artifactRequests;
    const generation = await world.order(world.release("2.0.0", 2, { padding: 100_000 }));
    const waits = () => world.updates().some(({ failure }) => failure?.code === "storage.full");
    await world.until(waits);
    assert.equal(world.origin.artifactRequests, requests);
    await world.serves("1.0.0");
    free = 10 * MIB;
    assert.equal((await world.ended(generation))?.outcome, "succeeded");
  } finally {
    await world.destroy();
  }
});

test("a disk that is full while variants are measured is waited for", async () => {
  let full = 2;
  const measured = {
    ...{ loadMs: 1, p50Ms: 1, p95Ms: 1, cpuMs: 1, agreement: 1, placement: null, memoryMiB: 1 },
  };
  const world = await World.create({
    measure: async () => {
      full -= 1;
      if (full >= 0) throw Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
      return { measured };
    },
  });
  try {
    const serving = { objective: { prefer: "latency" as const } };
    const golden = { schema: "muster.golden/1" as const, tolerance: { absolute: 0, relative: 0 } };
    const variants = [
      { id: "one", model: Buffer.from("{}\n"), golden: { ...golden, minAgreement: 1, cases: [] } },
    ];
    const result = await world.install(world.release("1.0.0", 1, { variants, serving }));
    assert.equal(result?.outcome, "succeeded");
    assert.ok(world.updates().some(({ failure }) => failure?.code === "storage.full"));
  } finally {
    await world.destroy();
  }
});

/** A small file system of its own; only root may make one. */
function smallDisk(size: string): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "muster-disk-"));
  try {
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory], { stdio: "ignore" });
    return directory;
  } catch {
    rmSync(directory, { recursive: true });
    return undefined;
  }
}

test("a disk that fills up in the middle of a download", async (context: TestContext) => {
  const disk = smallDisk("8m");
  if (!disk) return context.skip("this user may not mount a file system");
  const world = await World.create({ freeBytes: async () => Number.MAX_SAFE_INTEGER }, disk);
  try {
    await world.install(world.release("1.0.0", 1));
    const ballast = join(disk, "ballast");
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - 3 * MIB));
    const generation = await world.order(world.release("2.0.0", 2, { padding: 4 * MIB }));
    await world.until(() => {
      const { bavail: blocks } = statfsSync(disk);
      return blocks === 0;
    });
    await world.serves("1.0.0");
    assert.equal(world.engine.state().lastResult?.generation, 1);
    rmSync(ballast);
    assert.equal((await world.ended(generation))?.outcome, "succeeded");
    await world.reboot();
    await world.serves("2.0.0");
    assert.equal(world.current(), "2.0.0");
  } finally {
    await world.destroy();
    execFileSync(UNMOUNT, [disk]);
    rmSync(disk, { recursive: true });
  }
});

test("a disk that is full when a release fails probation: the device goes back all the same", async (context) => {
  const disk = smallDisk("8m");
  if (!disk) return context.skip("this user may not mount a file system");
  const world = await World.create({ freeBytes: async () => Number.MAX_SAFE_INTEGER }, disk);
  try {
    await world.install(world.release("1.0.0", 1));
    const ballast = join(disk, "ballast");
    world.inference.onCall = (what) => {
      if (what !== "served") return;
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    };
    await world.order(world.release("2.0.0", 2, { fate: { observed: { crashes: 1 } } }));
    await world.until(
      () => world.inference.history.at(-1) === "1.0.0" && world.inference.history.includes("2.0.0"),
    );
    world.inference.onCall = () => undefined;
    rmSync(ballast);
    assert.equal((await world.ended(2))?.outcome, "failed-rolled-back");
    await world.serves("1.0.0");
  } finally {
    await world.destroy();
    execFileSync(UNMOUNT, [disk]);
    rmSync(disk, { recursive: true });
  }
});

test("a device that starts on a full disk serves what it served", async (context) => {
  const disk = smallDisk("8m");
  if (!disk) return context.skip("this user may not mount a file system");
  const world = await World.create({}, disk);
  try {
    await world.install(world.release("1.0.0", 1));
    const generation = await world.order(
      world.release("2.0.0", 2, { providers: ["cpu"], padding: 64 * MIB }),
    );
    await world.until(() => world.engine.state().update?.phase === "fetching");
    const { bavail, bsize } = statfsSync(disk);
    const ballast = join(disk, "ballast");
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    await world.reboot();
    await world.serves("1.0.0");
    assert.equal(world.engine.state().update?.generation, generation);
    rmSync(ballast);
  } finally {
    await world.destroy();
    execFileSync(UNMOUNT, [disk]);
    rmSync(disk, { recursive: true });
  }
});
