import assert from "node:assert/strict";
import { test } from "node:test";
import { approvalsAt } from "@muster/control-plane/people/approval-policies";
import { isMusterError } from "@muster/shared/errors";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const PLAN = {
  release: { name: "vibration", version: "2.0.0" },
  waves: [],
  gate: { soakSeconds: 0, metrics: [] },
};
const [BEN, CLEO, DORA] = ["Ben", "Cleo", "Dora"].map((name) => ({ id: name.toLowerCase(), name })) as [
  typeof ANNA,
  typeof ANNA,
  typeof ANNA,
];
const refused = (error: unknown) => isMusterError(error, "rollout.approval-refused");
const invalid = (error: unknown) => isMusterError(error, "rollout.transition-invalid");

async function small(): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices([{ site: "a" }, { site: "b" }], old, [OLD, NEW]);
  return world;
}

test("neither author nor submitter may approve, and each operator counts once", async () => {
  const world = await small();
  try {
    const service = world.service(undefined, { approvals: 2 });
    const { id } = await service.create({ ...PLAN, approvals: 1 }, ANNA);
    await assert.rejects(service.approve(id, BEN), invalid, "it was not submitted yet");
    let view = await service.start(id, BEN);
    assert.equal(view.state, "awaiting-approval");
    assert.deepEqual(view.approvals, { needed: 2, given: [] }, "the fleet asks for more than the plan");
    assert.equal((await service.start(id, BEN)).state, "awaiting-approval", "safe to repeat");
    await assert.rejects(service.approve(id, ANNA), refused);
    await assert.rejects(service.approve(id, BEN), refused);
    await service.approve(id, CLEO);
    view = await service.approve(id, CLEO);
    assert.equal(view.state, "awaiting-approval");
    assert.deepEqual(
      view.approvals.given.map(({ operator, decision }) => [operator.name, decision]),
      [["Cleo", "approved"]],
    );
    const tick = world.tick();
    await world.pass(20, tick);
    assert.equal(world.retained.size, 0, "nobody is told before");
    view = await service.approve(id, DORA);
    assert.equal(view.state, "scheduled");
    assert.equal((await service.approve(id, DORA)).state, "scheduled", "safe to repeat");
    await world.pass(60, tick);
    assert.equal((await service.get(id)).state, "completed");
    const sentences = (await service.events(id)).map(({ sentence }) => sentence);
    assert.ok(sentences.includes("Ben submitted the rollout: 2 approvals of others are needed."));
    assert.ok(sentences.includes("Cleo approved the rollout: 1 approval missing."));
    assert.ok(sentences.includes("Dora approved the rollout: nothing is missing."));
  } finally {
    await world.close();
  }
});

test("a denial aborts with its reason", async () => {
  const world = await small();
  try {
    const service = world.service();
    const { id } = await service.create({ ...PLAN, approvals: 1 }, ANNA);
    await service.start(id, ANNA);
    const view = await service.deny(id, BEN, "not before the audit");
    assert.equal(view.state, "aborted");
    assert.equal(view.reason, "Ben denied the rollout: not before the audit.");
    assert.equal((await service.deny(id, BEN, "again")).reason, view.reason, "safe to repeat");
    await assert.rejects(service.approve(id, CLEO), invalid);
    await assert.rejects(service.start(id, ANNA), invalid);
  } finally {
    await world.close();
  }
});

test("a scheduled rollout tells nobody before its time, and takes the fleet as it is then", async () => {
  const world = await small();
  try {
    const service = world.service();
    const startAt = world.now + 3_600_000;
    const { id } = await service.create({ ...PLAN, startAt }, ANNA);
    assert.equal((await service.start(id, ANNA)).state, "scheduled");
    const tick = world.tick();
    await world.pass(1800, tick);
    assert.equal(world.retained.size, 0);
    const old = { name: "vibration", version: "1.0.0", sequence: 1, digest: "" };
    await world.addDevices([{ site: "c" }], { ...old, digest: world.digestOf(OLD) }, [OLD, NEW]);
    await world.pass(1850, tick);
    const view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.equal(view.counts.succeeded, 3);
    assert.ok((view.startedAt ?? 0) >= startAt);
  } finally {
    await world.close();
  }
});

test("a scheduled rollout that cannot start any more is aborted and says why", async () => {
  const world = await small();
  try {
    const service = world.service();
    const { id } = await service.create({ ...PLAN, startAt: world.now + 60_000 }, ANNA);
    await service.start(id, ANNA);
    world.stores.controlRaw.prepare("UPDATE devices SET status = 'revoked'").run();
    await world.pass(120, world.tick());
    const view = await service.get(id);
    assert.equal(view.state, "aborted");
    assert.match(view.reason ?? "", /could not start: .*none of which can take part/);
  } finally {
    await world.close();
  }
});

test("labels that change after the approval was asked for bring in no site that asks for more", async () => {
  const world = await World.open();
  try {
    const old = await world.addRelease(OLD);
    await world.addRelease(NEW);
    const labels = { ring: "early" };
    await world.addDevices(
      [{ site: "open", labels }, { site: "open", labels }, { site: "guarded/a" }, { site: "guarded/b" }],
      old,
      [OLD, NEW],
    );
    world.stores.controlRaw
      .prepare(
        "INSERT INTO approval_policies (site, approvals, changed_by, changed_at) VALUES ('guarded', 1, '', 0)",
      )
      .run();
    const label = (site: string) =>
      world.stores.controlRaw
        .prepare("UPDATE devices SET labels = ? WHERE site = ?")
        .run(JSON.stringify(labels), site);
    const service = world.service(undefined, { approvalsAt });
    const plan = {
      ...PLAN,
      selector: "ring=early",
      lateJoiners: "include",
      gate: { soakSeconds: 300, metrics: [] },
    };
    const tick = world.tick();

    const running = await service.create(plan, ANNA);
    assert.equal((await service.start(running.id, ANNA)).state, "running");
    label("guarded/a");
    await world.pass(60, tick);
    assert.equal((await service.get(running.id)).counts.total, 2, "a late joiner there is left alone");

    const later = await service.create({ ...plan, force: true, startAt: world.now + 60_000 }, ANNA);
    assert.equal((await service.get(later.id)).state, "draft");
    world.stores.controlRaw.prepare("UPDATE devices SET labels = '{}' WHERE site = 'guarded/a'").run();
    assert.equal((await service.start(later.id, ANNA)).state, "scheduled");
    label("guarded/b");
    await world.pass(70, tick);
    const view = await service.get(later.id);
    assert.deepEqual([view.state, view.approvals.needed], ["awaiting-approval", 1]);
    assert.equal((await service.approve(later.id, BEN)).state, "scheduled");
    await world.pass(10, tick);
    assert.equal((await service.get(later.id)).state, "running");
  } finally {
    await world.close();
  }
});
