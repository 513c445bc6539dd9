import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeCounter, PutBackCheck } from "@muster/agent/attestation/put-back";
import { openDatabase } from "@muster/agent/storage/database";
import fc from "fast-check";

/** A counter that only grows; it can be cut off before it counts. */
class Counter {
  value = 100n;
  cut = false;
  read = async () => this.value;
  increment = async () => {
    if (this.cut) throw new Error("power");
    this.value += 1n;
    return this.value;
  };
}

describe("a disk that was put back", () => {
  for (const [stored, hardware, finding] of [
    [null, 0, "new"],
    [null, 9, "new"],
    [9, 9, "in-step"],
    [9, 8, "in-step"],
    [9, 10, "put-back"],
    [9, 900, "put-back"],
    [9, 7, "replaced"],
  ] as const)
    it(`${stored} on the disk and ${hardware} in the hardware: ${finding}`, () =>
      assert.equal(judgeCounter(stored, hardware), finding));

  it("is found after any history of starts and power cuts, and only then", async () => {
    const history = fc.array(fc.boolean(), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(history, history, async (before, between) => {
        const db = openDatabase(":memory:");
        const counter = new Counter();
        const start = async (cut: boolean) => {
          counter.cut = cut;
          return new PutBackCheck(db).run(counter).catch(() => "cut");
        };
        for (const cut of [false, ...before]) assert.notEqual(await start(cut), "put-back");
        const image = db.serialize();
        for (const cut of between) assert.notEqual(await start(cut), "put-back");
        const counted = between.filter((cut) => !cut).length;
        const old = openDatabaseFrom(image);
        counter.cut = false;
        const finding = await new PutBackCheck(old).run(counter);
        // A disk that was one ahead of the hardware swallows one start.
        if (counted > 1) assert.equal(finding, "put-back");
        if (counted === 0) assert.notEqual(finding, "put-back");
        assert.equal(await new PutBackCheck(old).run(counter), "in-step");
        old.close();
        db.close();
      }),
      { numRuns: 100 },
    );
  });
});

function openDatabaseFrom(image: Buffer) {
  const Database = openDatabase(":memory:").constructor as new (
    image: Buffer,
  ) => ReturnType<typeof openDatabase>;
  return new Database(image);
}
