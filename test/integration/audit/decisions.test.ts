import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { AuditEntryResource } from "@muster/control-plane/api/schemas/audit";
import { until } from "../../plant/wait.ts";
import { Site } from "../security/site.ts";

/** A real control plane and a real agent: who decided what is on record, also when the power goes. */
describe("decisions on record", () => {
  let site: Site;
  before(async () => {
    site = await Site.open();
  });
  after(() => site?.close());

  const list = async (...args: string[]): Promise<AuditEntryResource[]> =>
    (
      await site.plant.operator().json<AuditEntryResource[]>("audit", "list", "--limit", "1000", ...args)
    ).reverse();
  const verify = () => site.plant.operator().run("audit", "verify");

  it("tell the device, the operator and the control plane apart", async () => {
    await site.release("1.0.0");
    const rollout = await site.startRollout("1.0.0");
    await site.runs("1.0.0");
    await until("the rollout to complete", 30_000, async () => {
      const { state } = await site.plant.api().get<{ state: string }>(`/rollouts/${rollout}`);
      return state === "completed" || undefined;
    });
    const { id } = await site.facts();
    const [enrolled] = await list("--action", "device.enroll");
    assert.deepEqual(
      [enrolled?.actor.kind, enrolled?.actor.id, enrolled?.detail.name],
      ["device", id, "press-1"],
    );
    const by = new Map(
      (await list("--subject", `rollout/${rollout}`)).map((each) => [each.action, each.actor.kind]),
    );
    assert.equal(by.get("rollout.plan"), "operator");
    assert.equal(by.get("rollout.created"), "operator");
    assert.equal(by.get("rollout.started"), "operator");
    assert.equal(
      by.get("rollout.completed"),
      "system",
      "woken up by an operator, it still decides by itself",
    );
    const [released] = await list("--action", "release.create");
    assert.deepEqual([released?.actor.kind, released?.subject], ["operator", "release/limits@1.0.0"]);
    assert.equal((await list("--action", "trust")).length >= 2, true);
    const events = await site.plant.api().get<{ events: { seq: number }[] }>(`/rollouts/${rollout}/events`);
    const onRecord = (await list("--subject", `rollout/${rollout}`)).filter(
      ({ detail }) => "event" in detail,
    );
    assert.deepEqual(
      onRecord.map(({ detail }) => detail.event),
      events.events.map(({ seq }) => seq),
      "each event of the rollout, once, in its order",
    );
    assert.equal((await verify()).exitCode, 0);
  });

  it("are whole after the control plane was killed in the middle of its work", async () => {
    const { plant } = site;
    for (const version of ["2.0.0", "3.0.0"]) {
      await site.release(version);
      await site.startRollout(version);
      await plant.controlPlane.stop("power-cut");
      await plant.controlPlane.start();
      await site.runs(version);
    }
    const checked = await verify();
    assert.equal(checked.exitCode, 0, checked.stdout);
    const states = await plant.api().get<{ rollouts: { id: string }[] }>("/rollouts");
    for (const { id } of states.rollouts) {
      // The newest of them goes on meanwhile.
      await until(`rollout ${id} to stand still`, 30_000, async () => {
        const { state } = await plant.api().get<{ state: string }>(`/rollouts/${id}`);
        return !["scheduled", "running"].includes(state) || undefined;
      });
      const { events } = await plant.api().get<{ events: { seq: number }[] }>(`/rollouts/${id}/events`);
      const onRecord = (await list("--subject", `rollout/${id}`)).filter(({ detail }) => "event" in detail);
      assert.deepEqual(
        onRecord.map(({ detail }) => detail.event),
        events.map(({ seq }) => seq),
      );
    }
  });
});
