import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { buildOnce } from "../../models/build-once.ts";

let folder: string;
let target: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "muster-build-once-"));
  target = join(folder, "models");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const writeOne = async (into: string): Promise<void> => writeFile(join(into, "one"), "1");

test("callers at the same time share one build and leave nothing beside it", async () => {
  let builds = 0;
  const build = async (into: string): Promise<void> => {
    builds += 1;
    await writeOne(into);
  };
  await Promise.all([1, 2, 3].map(() => buildOnce(target, "k", build)));
  await buildOnce(target, "k", build);
  assert.equal(builds, 1);
  assert.equal(await readFile(join(target, "one"), "utf8"), "1");
  assert.deepEqual(await readdir(folder), ["models"]);
});

test("the lock of a process that died is broken", async () => {
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  await writeFile(`${target}.lock`, String(child.pid));
  await buildOnce(target, "k", writeOne);
  assert.deepEqual(await readdir(folder), ["models"]);
});

test("a failed build leaves nothing and the next call builds", async () => {
  const broken = new Error("disk full");
  await assert.rejects(
    buildOnce(target, "k", async (into) => {
      await writeOne(into);
      throw broken;
    }),
    broken,
  );
  assert.deepEqual(await readdir(folder), []);
  await buildOnce(target, "k", writeOne);
  assert.deepEqual((await readdir(target)).sort(), ["generator.key", "one"]);
});

test("a directory with anything else in it is refused and kept", async () => {
  const conflict = (error: unknown): boolean => isMusterError(error, "request.conflict");
  await mkdir(target);
  await writeFile(join(target, "mine"), "x");
  await assert.rejects(buildOnce(target, "k", writeOne), conflict);
  assert.deepEqual(await readdir(target), ["mine"]);
  const other = join(folder, "other");
  await buildOnce(other, "k", writeOne);
  await assert.rejects(buildOnce(other, "another generator", writeOne), conflict);
  const file = join(folder, "file");
  await writeFile(file, "x");
  await assert.rejects(buildOnce(file, "k", writeOne), conflict);
});
