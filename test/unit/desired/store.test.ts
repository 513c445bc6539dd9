import assert from "node:assert/strict";
import { test } from "node:test";
import { DesiredStore } from "@muster/agent/desired/store";
import { openDatabase } from "@muster/agent/storage/database";

const YEAR_MS = 365 * 86_400_000;
const failure = { code: "directive.expired", message: "It has expired." };

test("refusals are told up to a limit within an hour, also after a clock that was ahead", () => {
  const database = openDatabase(":memory:");
  const store = new DesiredStore(database);
  const told = (from: number, at: number) =>
    Array.from({ length: 100 }, (_, index) => store.refuse(from + index, failure, at)).filter(Boolean).length;
  const ahead = 1_800_000_000_000 + YEAR_MS;
  assert.equal(told(1, ahead), 60);
  assert.equal(store.refuse(1, failure, ahead), false, "the same one is told once");
  const now = ahead - YEAR_MS;
  assert.equal(told(1001, now), 60);
  assert.equal(told(2001, now + 3_600_000), 60);
  assert.equal(store.refused()?.generation, 2100);
  database.close();
});
