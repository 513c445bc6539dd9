import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalRecord } from "@muster/agent/update/ports";
import { MusterError } from "@muster/shared/errors";
import { World } from "./world.ts";

test("a commit that cannot be stored is tried again, and nothing on probation is counted twice", async () => {
  let refusals = 3;
  const append = (records: JournalRecord[]) => {
    const commits = records.some(({ kind, body }) => kind === "update" && body.phase === "committed");
    if (commits && refusals > 0) {
      refusals -= 1;
      throw new MusterError("storage.full");
    }
    return world.outbox.append(records);
  };
  const world: World = await World.create({ outbox: { append }, settings: { probationStoreMs: 1 } });
  try {
    const release = world.release("1.0.0", 1, {
      fate: { observed: { crashes: 1 } },
      probation: { maxCrashes: 1, minSeconds: 1 },
    });
    assert.equal((await world.install(release))?.outcome, "succeeded");
    assert.equal(refusals, 0);
  } finally {
    await world.destroy();
  }
});
