import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

test("a release whose file rots is failed after a crash, is tried again and serves when the file is back", async () => {
  const box = await BenchBox.create({ settings: { restartMinSeconds: 0.05, restartMaxSeconds: 0.2 } });
  try {
    const model = await box.model("classifier", classifier(), GOLDEN.classifier);
    await box.serve([model]);
    const bytes = await readFile(model.modelPath);
    await writeFile(model.modelPath, bytes.subarray(1));
    process.kill(box.inference.status().pid!, "SIGKILL");
    await until(() => box.inference.status().state === "failed", "the failure is seen");
    assert.deepEqual(box.inference.status().components, []);
    await until(
      () => box.events.filter(({ code }) => code === "artifact.corrupted").length >= 2,
      "it is tried again",
    );
    assert.equal(box.inference.observed().crashes, 1);
    await writeFile(model.modelPath, bytes);
    await until(() => box.inference.status().state === "ready", "it serves again");
    assert.equal((await classify({ url: box.url }, [1, 0, 0, 0])).status, 200);
  } finally {
    await box.close();
  }
});
