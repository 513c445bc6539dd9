import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readPlan, readWave } from "@muster/control-plane/cli/rollout-plan";
import { isMusterError } from "@muster/shared/errors";

describe("plans from the command line", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-plan-"));
  });
  after(() => rm(dir, { recursive: true }));

  const file = async (text: string): Promise<string> => {
    const path = join(dir, "plan.json");
    await writeFile(path, text);
    return path;
  };

  it("reads counts, percentages and selectors as waves, in order", () => {
    assert.deepEqual(
      ["2", "12.5%", "ring=canary"].reduce<ReturnType<typeof readWave>>(
        (waves, text) => readWave(text, waves),
        [],
      ),
      [{ count: 2 }, { percent: 12.5 }, { selector: "ring=canary" }],
    );
  });

  it("lets options go before the file and keeps what they do not name", async () => {
    const path = await file(
      JSON.stringify({
        release: { name: "a", version: "1" },
        gate: { success: { minPercent: 50, minDevices: 3 }, soakSeconds: 5 },
        onFailure: "pause",
      }),
    );
    const options = {
      file: path,
      release: "b@2.0.0-rc.1",
      minSuccess: 99,
      maxError: 1,
      soak: 90_000,
      timeout: 60_000,
    };
    assert.deepEqual(await readPlan(options), {
      release: { name: "b", version: "2.0.0-rc.1" },
      gate: { success: { minPercent: 99, minDevices: 3 }, error: { maxPercent: 1 }, soakSeconds: 90 },
      onFailure: "pause",
      deviceTimeoutSeconds: 60,
    });
  });

  it("refuses what is no plan with the reason", async () => {
    const cases: [options: Record<string, unknown>, words: RegExp][] = [
      [{}, /--release NAME@VERSION/],
      [{ release: "a" }, /NAME@VERSION/],
      [{ release: "a@1@2" }, /NAME@VERSION/],
      [{ file: join(dir, "missing.json") }, /cannot be read/],
      [{ file: await file("[1]") }, /not a JSON object/],
      [{ release: "a@1", onFailure: "explode" }, /onFailure/],
    ];
    for (const [options, words] of cases)
      await assert.rejects(
        readPlan(options),
        (error) => isMusterError(error, "rollout.plan-invalid") && words.test(error.message),
        JSON.stringify(options),
      );
  });
});
