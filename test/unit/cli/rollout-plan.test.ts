import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readPace, readPlan, readWave } from "@muster/control-plane/cli/rollout-plan";
import { isMusterError } from "@muster/shared/errors";

const NOW = Date.parse("2026-11-22T08:00:00Z");

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
      ["canary:1", "2", "12.5%", "ring=canary"].reduce<ReturnType<typeof readWave>>(
        (waves, text) => readWave(text, waves),
        [],
      ),
      [{ canary: 1 }, { count: 2 }, { percent: 12.5 }, { selector: "ring=canary" }],
    );
  });

  it("reads the pace by the minute or the hour", () => {
    assert.deepEqual(
      ["50/min", "3000/h", "7", "30/h"].map((text) => readPace(text).maximumPerMinute),
      [50, 50, 7, 1],
    );
    for (const text of ["0/min", "fast", "5/s", "-1"])
      assert.throws(
        () => readPace(text),
        (error) => isMusterError(error, "settings.invalid"),
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
      pace: { maximumPerMinute: 50 },
      maxInFlight: 20,
      at: "+2h",
      deadline: 3_600_000,
      priority: 900,
      late: "hold",
      approvals: 2,
      retries: 3,
    };
    assert.deepEqual(await readPlan(options, NOW), {
      release: { name: "b", version: "2.0.0-rc.1" },
      gate: { success: { minPercent: 99, minDevices: 3 }, error: { maxPercent: 1 }, soakSeconds: 90 },
      onFailure: "pause",
      timeouts: { total: 60 },
      pace: { maximumPerMinute: 50 },
      maxInFlight: 20,
      startAt: NOW + 7_200_000,
      deadlineSeconds: 3600,
      priority: 900,
      lateJoiners: "hold",
      approvals: 2,
      retries: { max: 3 },
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
        readPlan(options, NOW),
        (error) => isMusterError(error, "rollout.plan-invalid") && words.test(error.message),
        JSON.stringify(options),
      );
  });
});
