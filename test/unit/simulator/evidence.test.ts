import assert from "node:assert/strict";
import { test } from "node:test";
import { type Challenge, type Evidence, isEvidenceBy, linkDigestOf } from "@muster/shared/protocol/evidence";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { Rig, release } from "./rig.ts";

const { keyId, publicKey } = signingKeyFrom(Buffer.alloc(32, 7));

function challenge(
  rig: Rig,
  nonce: string,
  chain: number | null,
  session = rig.birth()?.session ?? "",
): void {
  const asked: Challenge = {
    v: 1,
    session,
    nonce: nonce.repeat(64),
    notAfter: rig.now + 60_000,
    pcrs: { bank: "sha256", indices: [0] },
    have: { bootLog: null, ima: 0, chain },
  };
  rig.do(rig.model.hear("challenge", Buffer.from(JSON.stringify(asked)), rig.now));
}

const answers = (rig: Rig): Evidence[] =>
  rig.heard.flatMap((message) => (message.channel === "evidence" ? [message.body.evidence as Evidence] : []));
const byItself = (rig: Rig): Evidence[] =>
  rig.sent().flatMap((record) => (record.kind === "evidence" ? [record.body as Evidence] : []));

test("a device answers challenges of its session with links of one chain", () => {
  const rig = new Rig();
  rig.pass(60_000);
  challenge(rig, "a", null);
  challenge(rig, "a", null);
  challenge(rig, "b", null, "another-session");
  challenge(rig, "c", null);
  const links = new Map([...byItself(rig), ...answers(rig)].map((link) => [link.payload.chain.index, link]));
  assert.deepEqual([...links.keys()], [0, 1, 2]);
  for (const [index, { payload }] of links) {
    const before = links.get(index - 1);
    assert.equal(payload.chain.previous, before ? linkDigestOf(before.payload) : null);
    assert.equal(payload.measurement.release?.version, release(1).version);
  }
  assert.ok([...links.values()].every((link) => isEvidenceBy(link, { [keyId]: publicKey })));
  assert.deepEqual(
    answers(rig).map(({ payload }) => payload.chain.index),
    [0, 1, 0, 1, 0, 1, 2],
  );
  const [session, told] = [rig.birth()?.session ?? "", answers(rig).length];
  challenge(rig, "d", 2, session);
  assert.deepEqual(
    answers(rig)
      .slice(told)
      .map(({ payload }) => payload.chain.index),
    [3],
  );
});

test("a change of what runs becomes a link by itself, also without an uplink", () => {
  const rig = new Rig();
  rig.pass(60_000);
  rig.direct(2, 1);
  rig.do(rig.model.set({ uplink: false }, rig.now));
  rig.pass(600_000);
  rig.do(rig.model.set({ uplink: true }, rig.now));
  rig.pass(600_000);
  const links = new Map(byItself(rig).map(({ payload }) => [payload.chain.index, payload]));
  assert.deepEqual(
    [...links.values()].map(({ measurement }) => measurement.release?.version),
    [release(1).version, release(2).version],
  );
});
