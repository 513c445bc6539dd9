import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TrackedMember } from "@muster/control-plane/rollouts/exposure/arms";
import { ExposureLedger } from "@muster/control-plane/rollouts/exposure/ledger";
import { INFERENCES } from "@muster/control-plane/rollouts/exposure/sums";
import { openStores } from "@muster/control-plane/storage/database";
import type { Heartbeat, InferenceCounters } from "@muster/shared/protocol/messages";
import { counters, member, NEW, OLD } from "../../unit/gate/heartbeats.ts";

const dir = await mkdtemp(join(tmpdir(), "muster-ledger-"));
const stores = await openStores(dir);
after(async () => {
  await stores.close();
  await rm(dir, { recursive: true });
});

const OPENED_AT = 5_000_000;
let row = 0;

function beatOf(device: string, inference: InferenceCounters[], receivedAt = OPENED_AT + 1000) {
  row += 1;
  return { device, receivedAt, row, beat: { inference } as Heartbeat };
}

async function take(ledger: ExposureLedger, beats: ReturnType<typeof beatOf>[]): Promise<void> {
  await stores.writeTelemetry((db) => ledger.store(db, beats));
  ledger.stored();
}

const tracked = (members: readonly TrackedMember[], wave = 0, rollout = "r1") => ({
  rollout,
  digest: NEW,
  wave,
  openedAt: OPENED_AT + wave,
  gate: { soakSeconds: 3600 },
  members,
});

const MEMBERS = [member("a", "updated"), member("b", "control"), member("c", "control", "jetson")];

const seen = (ledger: ExposureLedger, rollout = "r1") => {
  const exposures = ledger.of(rollout);
  return {
    arms: new Map(
      [...exposures.arms()].filter(
        ([, { updated, control }]) => updated.some(Boolean) || control.some(Boolean),
      ),
    ),
    blocks: [0, 1].map((round) =>
      exposures.block(round, 0).toSorted((a, b) => (a.device < b.device ? -1 : 1)),
    ),
  };
};

const rows = () =>
  stores.telemetryRaw.prepare("SELECT rollout, device, wave FROM exposures ORDER BY 1, 2").raw().all();

test("a restart goes on with exactly what there was", async () => {
  const ledger = ExposureLedger.load(stores.telemetryRaw);
  ledger.track([tracked(MEMBERS)]);
  await take(ledger, [
    beatOf("a", [counters(NEW, { inferences: 7, crashes: 1 }), counters(OLD)]),
    beatOf("b", [counters(OLD, { latencyMs: 40 })]),
    beatOf("c", [counters(null)]),
    beatOf("stranger", [counters(NEW)]),
    beatOf("a", [counters(NEW, { inferences: 5 })], OPENED_AT + 290_000),
  ]);
  const again = ExposureLedger.load(stores.telemetryRaw);
  again.track([tracked([...MEMBERS])]);
  assert.deepEqual(seen(again), seen(ledger));
  assert.equal(again.of("r1").arms().get("linux-x64")?.updated[INFERENCES], 12);
  for (const one of [ledger, again]) await take(one, [beatOf("a", [counters(NEW)], OPENED_AT + 310_000)]);
  assert.deepEqual(seen(again), seen(ledger));
});

test("what was rolled back does not count, and counts once when it is tried again", async () => {
  const ledger = ExposureLedger.load(stores.telemetryRaw);
  ledger.track([tracked(MEMBERS)]);
  const before = seen(ledger);
  const beats = [beatOf("b", [counters(OLD, { inferences: 11 })])];
  await assert.rejects(
    stores.writeTelemetry((db) => {
      ledger.store(db, beats);
      db.prepare("INSERT INTO no_such_table VALUES (1)");
    }),
  );
  assert.deepEqual(seen(ledger), before);
  const had = ledger.of("r1").arms().get("linux-x64")?.control[INFERENCES] ?? 0;
  await take(ledger, beats);
  assert.equal(ledger.of("r1").arms().get("linux-x64")?.control[INFERENCES], had + 11);
  const again = ExposureLedger.load(stores.telemetryRaw);
  again.track([tracked(MEMBERS)]);
  assert.deepEqual(seen(again), seen(ledger));
});

test("a heartbeat that was stored while its device changed arms counts in neither", async () => {
  const ledger = ExposureLedger.load(stores.telemetryRaw);
  ledger.track([tracked(MEMBERS)]);
  const beats = [beatOf("b", [counters(OLD)])];
  await stores.writeTelemetry((db) => ledger.store(db, beats));
  ledger.track([tracked(MEMBERS.filter(({ device }) => device !== "b"))]);
  ledger.stored();
  assert.equal(ledger.of("r1").arms().get("linux-x64")?.control[INFERENCES], 0);
  await take(ledger, []);
  assert.deepEqual(rows(), [
    ["r1", "a", 0],
    ["r1", "c", 0],
  ]);
});

test("the next wave begins anew, in memory and on disk", async () => {
  const ledger = ExposureLedger.load(stores.telemetryRaw);
  const next = [member("c", "updated", "jetson"), member("d", "control")];
  ledger.track([tracked(next, 1)]);
  assert.equal(ledger.of("r1").arms().size, 0);
  await take(ledger, [beatOf("c", [counters(NEW, { inferences: 3 })])]);
  assert.deepEqual(rows(), [["r1", "c", 1]]);
  const again = ExposureLedger.load(stores.telemetryRaw);
  again.track([tracked(next, 1)]);
  assert.deepEqual(seen(again), seen(ledger));
});

test("a device counts in each rollout on its own, and an ended rollout leaves nothing behind", async () => {
  const ledger = ExposureLedger.load(stores.telemetryRaw);
  ledger.track([tracked(MEMBERS, 1), tracked([member("a", "control")], 0, "r2")]);
  await take(ledger, [beatOf("a", [counters(NEW, { inferences: 4 }), counters(OLD, { inferences: 6 })])]);
  assert.equal(ledger.of("r1").arms().get("linux-x64")?.updated[INFERENCES], 4);
  assert.equal(ledger.of("r2").arms().get("linux-x64")?.control[INFERENCES], 6);
  ledger.track([]);
  assert.equal(ledger.of("r2").arms().size, 0);
  await take(ledger, []);
  assert.deepEqual(rows(), []);
});
