import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DoneFiles } from "@muster/agent/feeder/sources/done-files";

test("what is settled is known again, also when a power cut tore the last line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "muster-done-"));
  try {
    const path = join(folder, "in.done");
    const first = await DoneFiles.open(path);
    await first.add("a.png|1", "answered");
    await first.add('b \n".png|2', "rejected");
    await first.close();
    await appendFile(path, '["c.png|3","answ');
    const second = await DoneFiles.open(path);
    assert.deepEqual(
      ["a.png|1", 'b \n".png|2', "c.png|3"].map((key) => second.get(key)),
      ["answered", "rejected", undefined],
    );
    await second.add("d.png|4", "answered");
    await second.close();
    const third = await DoneFiles.open(path);
    assert.equal(third.get("d.png|4"), "answered");
    await third.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("files that are gone are forgotten in time, those that are there never", async () => {
  const folder = await mkdtemp(join(tmpdir(), "muster-done-"));
  try {
    const path = join(folder, "in.done");
    const done = await DoneFiles.open(path);
    const keys = Array.from({ length: 1010 }, (_, at) => `${at}.png|1`);
    for (const key of keys) await done.add(key, "answered");
    await done.forgetAllBut(new Set(keys.slice(0, 5)));
    assert.equal(done.get(keys[4]!), "answered");
    assert.equal(done.get(keys[5]!), undefined);
    await done.close();
    assert.equal((await readFile(path, "utf8")).trim().split("\n").length, 5);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
