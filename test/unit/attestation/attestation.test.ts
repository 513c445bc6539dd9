import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Attestation } from "@muster/agent/attestation/attestation";
import type { AttestationPorts, AttestationTpm, EvidenceRecord } from "@muster/agent/attestation/ports";
import { openDatabase } from "@muster/agent/storage/database";
import { MusterError } from "@muster/shared/errors";
import { type Challenge, type Evidence, linkDigestOf } from "@muster/shared/protocol/evidence";
import type { ReportedState } from "@muster/shared/protocol/state";
import { sha256 } from "@muster/shared/trust/digest";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";

const ref = (name: string) => ({ name, version: "1", sequence: 1, digest: sha256(name) });
const serving = (name: string | null): ReportedState => ({
  generation: 1,
  running: name === null ? null : ref(name),
  components: [],
  runner: name === null ? "idle" : "ready",
  update: null,
  lastResult: null,
  refused: null,
});

let session = 0;
const challenge = (more: Partial<Challenge> = {}): Challenge => {
  session += 1;
  return {
    v: 1,
    session: `session-${session}`,
    nonce: sha256(`${session}`).slice(7),
    notAfter: 2e12,
    pcrs: { bank: "sha256", indices: [0] },
    have: { bootLog: null, ima: 0, chain: null },
    ...more,
  };
};

/** An agent with its database in memory; what it runs, its TPM and its disk are what a test says. */
class World {
  readonly database: Database = openDatabase(":memory:");
  readonly records: EvidenceRecord[] = [];
  readonly notices: string[] = [];
  running = { state: serving(null), journalHead: sha256("journal"), settled: true };
  tpm: () => Promise<AttestationTpm | undefined> = async () => undefined;
  code: () => Promise<`sha256:${string}`> = async () => sha256("code");
  appended: () => void = () => undefined;
  attestation = this.begin();

  begin(more: Partial<AttestationPorts> = {}): Attestation {
    return new Attestation(
      {
        device: `d${"a".repeat(20)}`,
        key: () => signingKeyFrom(Buffer.alloc(32, 3)),
        database: this.database,
        outbox: {
          append: (records) => {
            this.appended();
            this.records.push(...records);
          },
        },
        boot: "boot-0001",
        agentVersion: "1.0.0",
        codeDigest: () => this.code(),
        running: () => this.running,
        tpm: () => this.tpm(),
        notice: (code) => this.notices.push(code),
        log: { info: () => undefined, warn: () => undefined },
        now: () => 1,
        ...more,
      },
      {
        measurementPcr: 23,
        evidenceMs: 3_600_000,
        settleMs: { start: 3_600_000, answer: 200 },
        tpmMs: 50,
        bootLog: "/nowhere",
        imaList: "/nowhere",
      },
    );
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  serve(name: string | null): void {
    this.running = { ...this.running, state: serving(name), settled: true };
    this.attestation.changed();
  }
}

const releases = (records: readonly EvidenceRecord[]) =>
  records.map(({ body }) => body.payload.measurement.release?.name ?? null);
const last = (links: readonly Evidence[]) => links.at(-1)!.payload;

describe("attestation", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(async () => {
    await world.attestation.stop();
    world.database.close();
  });

  it("begins with a link once it is known what runs, and makes one for each change", async () => {
    world.running.settled = false;
    world.attestation.start();
    await world.attestation.answer(challenge());
    assert.deepEqual(world.records, []);
    world.serve("first");
    await world.until(() => world.records.length === 1);
    world.serve("first");
    world.running.settled = false;
    world.attestation.changed();
    world.serve("second");
    await world.until(() => world.records.length === 2);
    world.serve(null);
    await world.until(() => world.records.length === 3);
    assert.deepEqual(releases(world.records), ["first", "second", null]);
  });

  it("makes no link of a change that an answer has told", async () => {
    world.attestation.start();
    await world.until(() => world.records.length === 1);
    world.running = { ...world.running, state: serving("first") };
    assert.equal(last(await world.attestation.answer(challenge())).measurement.release?.name, "first");
    world.attestation.changed();
    await world.attestation.answer(challenge());
    assert.equal(world.records.length, 1);
  });

  it("answers before it is known what runs, rather than not", async () => {
    world.running = { ...world.running, settled: false, state: { ...serving(null), runner: "starting" } };
    assert.equal(last(await world.attestation.answer(challenge())).measurement.runner, "starting");
  });

  it("answers the newest of the challenges that wait", async () => {
    const asked = [challenge(), challenge(), challenge()];
    const answers = await Promise.all(asked.map((each) => world.attestation.answer(each)));
    assert.deepEqual(
      answers.map((links) => links.map(({ payload }) => payload.nonce)),
      [[], [], [asked[2]?.nonce]],
    );
  });

  it("answers a challenge that comes again, also after a restart, with the same link", async () => {
    const asked = challenge();
    const [link] = await world.attestation.answer(asked);
    await world.attestation.stop();
    world.attestation = world.begin();
    assert.deepEqual(await world.attestation.answer(asked), [link]);
    const next = await world.attestation.answer(challenge());
    assert.deepEqual(
      next.map(({ payload }) => payload.chain),
      [link?.payload.chain, { index: 1, previous: linkDigestOf(link!.payload) }],
    );
  });

  it("has no link where its outbox took none, and goes on with the next", async () => {
    world.appended = () => {
      throw new MusterError("outbox.full");
    };
    world.attestation.start();
    await world.until(() => world.notices.includes("outbox.full"));
    assert.equal(last(await world.attestation.answer(challenge())).chain.index, 0);
  });

  it("measures again after its code could not be read", async () => {
    world.code = async () => {
      throw new Error("EIO");
    };
    assert.deepEqual(await world.attestation.answer(challenge()), []);
    assert.deepEqual(world.notices, ["internal.unexpected"]);
    world.code = async () => sha256("code");
    assert.equal(last(await world.attestation.answer(challenge())).measurement.agent.digest, sha256("code"));
  });

  for (const [what, tpm, code] of [
    ["is busy", () => Promise.reject(new MusterError("tpm.busy")), "tpm.busy"],
    ["is locked out", () => Promise.reject(new MusterError("tpm.locked-out")), "tpm.locked-out"],
    ["hangs", () => new Promise<never>(() => undefined), "tpm.timeout"],
  ] as const)
    it(`goes on without a TPM that ${what}, and tells it`, async () => {
      world.tpm = tpm;
      for (let asked = 0; asked < 2; asked += 1)
        assert.equal(last(await world.attestation.answer(challenge())).tpm, null);
      assert.deepEqual(world.notices, [code, code]);
      assert.deepEqual(
        { ...world.attestation.status().tpm, message: "" },
        { state: "failed", code, message: "" },
      );
    });

  it("goes on without a counter that does not answer", async () => {
    const refuse = () => Promise.reject(new MusterError("tpm.locked-out"));
    world.tpm = async () => ({
      attestationKey: refuse,
      quote: refuse,
      extend: refuse,
      counter: () => ({ read: refuse, increment: refuse }),
    });
    assert.equal(last(await world.attestation.answer(challenge())).tpm, null);
    assert.deepEqual(world.notices, ["tpm.locked-out", "tpm.locked-out"]);
  });

  it("does not wait for a TPM that hangs when it ends, and stores nothing half", async () => {
    world.tpm = () => new Promise<never>(() => undefined);
    const answer = world.attestation.answer(challenge());
    await new Promise((resolve) => setTimeout(resolve, 10));
    await world.attestation.stop();
    assert.deepEqual([await answer, world.attestation.status().chain], [[], null]);
  });

  it("ends while it waits for what runs", async () => {
    world.running.settled = false;
    world.attestation.start();
    const answer = world.attestation.answer(challenge());
    await world.attestation.stop();
    await answer;
    assert.deepEqual(world.records, []);
  });
});
