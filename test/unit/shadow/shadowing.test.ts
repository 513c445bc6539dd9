import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShadowRun } from "@muster/agent/inference/shadow";
import { Shadowing } from "@muster/agent/shadow/shadowing";
import { emptyShadowTally, type ShadowTally } from "@muster/agent/shadow/tally";
import { MusterError } from "@muster/shared/errors";
import { isShadowReportBy, ShadowReport } from "@muster/shared/protocol/shadow-report";
import { validate } from "@muster/shared/protocol/validate";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const KEY = signingKeyFrom(Buffer.alloc(32, 5));
const MIB = 2 ** 20;
const release = (sequence: number) => ({
  name: "line",
  version: `${sequence}.0.0`,
  sequence,
  digest: `sha256:${String(sequence).repeat(64)}` as const,
});
const rule = { seconds: 60, samplePercent: 10, cpuPercent: 25, minCompared: 100, minAgreementPercent: 95 };

function tallyOf(scores: { live: number[]; candidate: number[] }): ShadowTally {
  const tally = emptyShadowTally("eyes");
  const fill = (side: "live" | "candidate") => {
    const counts = tally.confidence[side].counts;
    for (const [bin, count] of scores[side].entries()) counts[bin] = count;
  };
  fill("live");
  fill("candidate");
  return { ...tally, compared: 200, agreed: 200, cpuUs: 1_500_400 };
}

/** A shadow by a clock that moves only when it sleeps. */
async function watch(given: {
  freeMib?: (now: number) => number;
  tally?: ShadowTally;
  crashAt?: number;
  startFails?: MusterError;
  signal?: AbortSignal;
}) {
  let now = 1_000_000;
  const begun = now;
  const done: string[] = [];
  const run: ShadowRun = {
    tallies: () => [given.tally ?? { ...emptyShadowTally("eyes"), compared: 200, agreed: 200 }],
    failure: () =>
      given.crashAt !== undefined && now - begun >= given.crashAt
        ? new MusterError("runner.crashed")
        : undefined,
    stop: async () => void done.push("stopped"),
  };
  const shadowing = new Shadowing({
    device: `d${"a".repeat(20)}`,
    key: async () => KEY,
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
    availableBytes: () => (given.freeMib?.(now - begun) ?? 512) * MIB,
    settings: { reserveBytes: 64 * MIB, mostBytes: MIB, directory: "/nowhere", lookMs: 500 },
    log: { info: () => undefined },
  });
  const end = await shadowing.run(
    {
      ...{ generation: 3, rollout: "rollout-1", live: release(1), candidate: release(2), rule },
      start: async () => {
        done.push("started");
        if (given.startFails) throw given.startFails;
        return run;
      },
    },
    given.signal ?? new AbortController().signal,
  );
  return { end, done, seconds: (now - begun) / 1000 };
}

test("it ends when its time is over, with a report that its schema takes and its key has signed", async () => {
  const { end, done, seconds } = await watch({});
  assert.equal(seconds, 60);
  assert.equal(end?.failure, null);
  assert.deepEqual(done, ["started", "stopped"]);
  const report = validate(ShadowReport, end?.report, "request.invalid");
  assert.ok(isShadowReportBy(KEY.publicKey, report));
  assert.equal(report.payload.to - report.payload.from, 60_000);
  assert.equal(report.payload.models[0]?.psi, null, "no scores, no drift");
});

test("a box without memory does not even begin; one that runs out of it ends at once", async () => {
  const none = await watch({ freeMib: () => 63 });
  assert.equal(none.end?.failure?.code, "shadow.no-memory");
  assert.match(none.end?.failure?.message ?? "", /63 MiB of memory are free; 64 MiB have to stay free/);
  assert.deepEqual(none.done, []);
  const later = await watch({ freeMib: (ms) => (ms < 10_000 ? 100 : 10) });
  assert.equal(later.end?.failure?.code, "shadow.no-memory");
  assert.deepEqual([later.seconds, later.done], [10, ["started", "stopped"]]);
  assert.equal(later.end?.report.payload.verdict, "failed");
});

test("a crash is told with its code, also one at the start", async () => {
  const crash = await watch({ crashAt: 5_000 });
  assert.deepEqual([crash.end?.failure?.code, crash.seconds], ["runner.crashed", 5]);
  const start = await watch({ startFails: new MusterError("runner.hung") });
  assert.equal(start.end?.failure?.code, "runner.hung");
});

test("drift is told beside what chance alone reaches", async () => {
  const alike = await watch({ tally: tallyOf({ live: [50, 50, 100], candidate: [52, 47, 101] }) });
  const same = alike.end?.report.payload.models[0]?.psi;
  assert.ok(same && same.value < same.chance);
  const apart = await watch({ tally: tallyOf({ live: [10, 40, 150], candidate: [100, 50, 50] }) });
  const model = apart.end?.report.payload.models[0];
  assert.ok(model?.psi && model.psi.value > model.psi.chance);
  assert.equal(model.cpuMs, 1500);
});

test("a signal ends it without a report", async () => {
  const { end, done } = await watch({ signal: AbortSignal.abort() });
  assert.equal(end, undefined);
  assert.equal(done.at(-1), "stopped");
});
