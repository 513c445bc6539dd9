import assert from "node:assert/strict";
import { test } from "node:test";
import { MusterError } from "@muster/shared/errors";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

test("results beyond the limit are dropped, oldest first, counted and told", async () => {
  const box = await BenchBox.create({ settings: { resultLimit: 10 } });
  try {
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    box.storeFailure = new MusterError("storage.full");
    for (let count = 0; count < 25; count++)
      await classify({ url: box.url }, [1, 0, 0, 0], { id: `r${count}` });
    box.storeFailure = undefined;
    await until(() => box.results.some(({ body }) => body.id === "r24"), "the newest is stored");
    await until(() => box.events.length > 0, "the loss is told");
    const told = box.events.reduce((sum, { message }) => sum + Number.parseInt(message, 10), 0);
    assert.ok(box.events.every(({ code }) => code === "results.dropped"));
    assert.equal(told + box.results.length, 25);
    assert.equal(box.inference.takeCounters()[0]?.inferences, 25);
  } finally {
    await box.close();
  }
});
