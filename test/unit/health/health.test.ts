import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { bootId } from "@muster/agent/health/boot";
import { Facts } from "@muster/agent/health/facts";
import { machineVitals } from "@muster/agent/health/vitals";
import { HardwareFacts } from "@muster/shared/protocol/hardware";
import { Heartbeat } from "@muster/shared/protocol/messages";
import { Id } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";

const directory = mkdtempSync(join(tmpdir(), "muster-health-"));
after(() => rmSync(directory, { recursive: true }));

describe("health", () => {
  it("is what a heartbeat carries", () => {
    const runner = { temperatureC: null, runnerRss: 0, runnerRestarts: 0, outboxBytes: 0 };
    const health = { ...machineVitals(directory), ...runner };
    validate(Heartbeat.properties.health, health, "request.invalid");
    assert.ok(health.agentRss > 1_000_000 && health.freeMemoryMiB > 0 && health.freeDiskMiB > 0);
  });

  it("knows the box", async () => {
    const file = join(directory, "facts.json");
    let looks = 0;
    let fresh = 0;
    const open = (boot: string, providers: string[]) =>
      Facts.open(
        {
          file,
          boot,
          agentVersion: "1.0.0",
          detectRuntime: async () => {
            looks += 1;
            return { providers, opset: 26 };
          },
        },
        () => {
          fresh += 1;
        },
      );
    const facts = validate(HardwareFacts, (await open("boot-1", ["cpu"])).now(), "request.invalid");
    assert.ok(facts.cpuModel.length > 0 && facts.cores > 0 && facts.memoryMiB > 0);
    assert.deepEqual((await open("boot-1", ["cuda"])).now(), facts);
    assert.equal(looks, 1, "the runtime is asked once per boot");
    const rebooted = await open("boot-2", ["cuda", "cpu"]);
    assert.deepEqual(rebooted.now(), facts, "what was known counts until the runtime has answered");
    while (fresh === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(rebooted.now().providers, ["cuda", "cpu"]);
    writeFileSync(file, "{");
    assert.deepEqual((await open("boot-2", ["cpu"])).now(), facts);
  });

  it("does not take a look that failed for what the box is", async () => {
    const file = join(directory, "failing.json");
    let answers: string[] | Error = [];
    const open = (boot: string) =>
      Facts.open(
        {
          file,
          boot,
          agentVersion: "1.0.0",
          detectRuntime: async () => {
            if (answers instanceof Error) throw answers;
            return { providers: answers, opset: 26 };
          },
        },
        () => assert.fail("nothing was learned"),
      );
    assert.deepEqual((await open("boot-1")).now().providers, []);
    answers = ["cpu"];
    assert.deepEqual((await open("boot-1")).now().providers, ["cpu"], "it is asked again");
    for (const failure of [[], new Error("out of memory")]) {
      answers = failure;
      const facts = await open("boot-2");
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(facts.now().providers, ["cpu"]);
    }
    assert.equal(JSON.parse(readFileSync(file, "utf8")).boot, "boot-1");
  });

  it("knows the boot", () => {
    validate(
      Id,
      bootId(() => "a-random-id"),
      "request.invalid",
    );
  });
});
