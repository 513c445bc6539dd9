import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { linkDigestOf } from "@muster/shared/protocol/evidence";
import { type Fleet, makeFleet } from "../link/fleet.ts";
import { AttestationScene } from "./attestation-scene.ts";

let fleet: Fleet;
before(async () => {
  fleet = await makeFleet();
});
after(() => fleet.remove());

let scene: AttestationScene;
beforeEach(async () => {
  scene = await AttestationScene.open(fleet);
});
afterEach(() => scene.close());

const SOFTWARE = ["--tpm", "off"] as const;

describe("evidence of an agent without a TPM", () => {
  it("answers a challenge with what it measured, and shows where its chain stands", async () => {
    await scene.start(...SOFTWARE);
    const { payload } = await scene.challenge("a", null);
    const { session, boot, agentVersion } = scene.broker.of("birth")[0];
    const { measurement } = payload;
    assert.deepEqual([payload.session, payload.tpm, measurement.boot], [session, null, boot]);
    assert.deepEqual(
      [measurement.agent.version, measurement.runner, measurement.release, measurement.rolledBack],
      [agentVersion, "idle", null, false],
    );
    const { attestation } = await scene.status();
    assert.equal(attestation.agent, measurement.agent.digest);
    assert.equal(attestation.chain.index, scene.chain().length - 1);
  });

  it("makes links by itself while nobody asks, and each has its place in the one chain", async () => {
    await scene.start(...SOFTWARE, "--evidence-minutes", "0.01");
    await scene.broker.until(() => scene.byItself().length > 2);
    const { payload } = await scene.challenge("a", null);
    await scene.broker.until(() =>
      scene.byItself().some((link) => link.payload.chain.index > payload.chain.index),
    );
    assert.ok(scene.chain().length > 4);
  });

  it("sends the same link for the same challenge, and what the control plane lacks before the answer", async () => {
    await scene.start(...SOFTWARE);
    const first = await scene.challenge("a", null);
    assert.deepEqual(await scene.challenge("a", null), first);
    const second = await scene.challenge("b", null);
    assert.equal(second.payload.chain.index, first.payload.chain.index + 1);
    const indices = scene.answers().map(({ payload }) => payload.chain.index);
    assert.ok(
      indices.lastIndexOf(first.payload.chain.index) < indices.lastIndexOf(second.payload.chain.index),
    );
    const sent = scene.answers().length;
    await scene.challenge("c", second.payload.chain.index);
    assert.equal(scene.answers().length, sent + 1, "nothing that is known is sent again");
    scene.chain();
  });

  it("sends the very link that it stored before it was killed", async () => {
    const agent = await scene.start(...SOFTWARE);
    await scene.challenge("a", null);
    // The answer is made and stored, and the line takes nothing any more: nobody has it before the kill.
    const { index: before } = (await scene.status()).attestation.chain;
    scene.broker.freeze();
    await scene.ask("b", null);
    let stored = { index: before, digest: "" };
    while (stored.index === before) stored = (await scene.status()).attestation.chain;
    assert.equal(await agent.end("SIGKILL"), "SIGKILL");
    assert.ok(!scene.answers().some(({ payload }) => payload.chain.index === stored.index));
    await scene.start(...SOFTWARE);
    await scene.challenge("c", null);
    const link = scene.chain()[stored.index];
    assert.equal(link && linkDigestOf(link.payload), stored.digest);
  });

  it("does not take an index twice when its disk is older than what the control plane has", async () => {
    await scene.start(...SOFTWARE);
    const { payload } = await scene.challenge("a", 41);
    assert.equal(payload.chain.index, 42);
  });

  it("drops a challenge of another session", async () => {
    await scene.start(...SOFTWARE);
    await scene.ask("a", null, { session: "another-session" });
    await scene.challenge("b", null);
    assert.ok(!scene.answers().some(({ payload }) => payload.nonce === "a".repeat(64)));
    await scene.broker.until(() => scene.events().some(({ code }) => code === "attestation.nonce-foreign"));
  });
});
