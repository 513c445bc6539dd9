import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { openTpm } from "@muster/agent/tpm/tpm";
import { type Evidence, extensionDigestOf, qualifyingDataOf } from "@muster/shared/protocol/evidence";
import { extendPcr } from "@muster/shared/tpm/pcr";
import { type PublicArea, parsePublic } from "@muster/shared/tpm/public-area";
import { type VerifiedQuote, verifyQuote } from "@muster/shared/tpm/quote";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { noSwtpm } from "../../support/tools.ts";
import { type Fleet, makeFleet } from "../link/fleet.ts";
import { command } from "./agent-process.ts";
import { AttestationScene } from "./attestation-scene.ts";

const OWN = 23;
const fromHex = (values: Record<string, string> = {}): Record<number, Buffer> =>
  Object.fromEntries(Object.entries(values).map(([index, hex]) => [Number(index), Buffer.from(hex, "hex")]));

/** Value that the agent says its PCR has. */
function toldValue({ payload }: Evidence): string {
  const own = payload.tpm!.own!;
  let value = Buffer.from(own.base, "hex");
  for (const each of own.extensions)
    value = extendPcr("sha256", value, extensionDigestOf(each)) as typeof value;
  return value.toString("hex");
}

/** The way to a TPM that can be cut. */
class Wire {
  readonly path: string;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string, target: string) {
    this.path = path;
    this.#target = target;
  }

  async mend(): Promise<void> {
    this.#server = createServer((socket) => {
      const on = connect(this.#target);
      for (const each of [socket, on]) {
        this.#sockets.add(each);
        each.on("error", () => undefined);
        each.once("close", () => {
          socket.destroy();
          on.destroy();
        });
      }
      socket.pipe(on).pipe(socket);
    }).listen(this.path);
    await once(this.#server, "listening");
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}

describe("evidence of an agent with a TPM", { skip: noSwtpm }, () => {
  let fleet: Fleet;
  let scene: AttestationScene;
  let swtpm: Swtpm;
  let ak: PublicArea;
  before(async () => {
    fleet = await makeFleet();
  });
  after(() => fleet.remove());
  beforeEach(async () => {
    scene = await AttestationScene.open(fleet);
    swtpm = await Swtpm.make();
    const tpm = await openTpm(swtpm.setting);
    ak = parsePublic((await tpm!.attestationKey()).public);
    await tpm!.close();
  });
  afterEach(async () => {
    await scene.close();
    await swtpm.stop();
  });

  const start = (...args: string[]) => scene.start("--tpm", swtpm.setting, ...args);

  /** What the TPM says of it, by the attestation key that was read before. */
  function verified(evidence: Evidence, indices = [0, 1, 7, OWN]): VerifiedQuote {
    const { tpm } = evidence.payload;
    assert.ok(tpm, "the TPM took part");
    return verifyQuote({
      ak,
      quote: Buffer.from(tpm.quote, "base64"),
      signature: Buffer.from(tpm.signature, "base64"),
      nonce: qualifyingDataOf(evidence.payload),
      pcrs: { sha256: fromHex(tpm.pcrs.sha256) },
      required: { bank: "sha256", indices },
    });
  }
  const ownValue = (evidence: Evidence) =>
    Buffer.from(verified(evidence).pcrs.sha256?.[OWN] ?? []).toString("hex");

  it("is quoted over all that it says, and its own PCR is what it lists", async () => {
    await start();
    const evidence = await scene.challenge("a", null);
    assert.equal(ownValue(evidence), toldValue(evidence));
    const { payload } = evidence;
    assert.deepEqual(
      payload.tpm?.own?.extensions.map(({ what, digest }) => [what, digest]),
      [["agent", payload.measurement.agent.digest]],
    );
    const lied = { ...payload, measurement: { ...payload.measurement, rolledBack: true } };
    assert.throws(() => verified({ ...evidence, payload: lied }), /nonce/);
    assert.deepEqual([payload.tpm?.bootLog, payload.tpm?.ima], [null, null]);
    const shown = (await command("status", "--data", scene.data)).out;
    assert.match(
      shown,
      /^code +sha256:[0-9a-f]{64}\ntpm +quoted, PCR 23\nevidence +link \d+, answered a challenge at /m,
    );
    for (const link of scene.chain()) verified(link, [0, OWN]);
  });

  it("lists each start of the agent in one boot, and begins anew with the TPM", async () => {
    const told = async (nonce: string) => {
      const evidence = await scene.challenge(nonce, null);
      assert.equal(ownValue(evidence), toldValue(evidence));
      return { extensions: evidence.payload.tpm!.own!.extensions.length, clock: verified(evidence).clock };
    };
    const agent = await start();
    const first = await told("a");
    assert.equal(first.extensions, 1);
    await agent.end("SIGKILL");
    const again = await start();
    assert.equal((await told("b")).extensions, 2);
    await again.end();
    await swtpm.restart();
    await start();
    const restarted = await told("c");
    assert.deepEqual([restarted.extensions, restarted.clock.safe], [1, true]);
    await swtpm.powerCut();
    const cut = await told("d");
    assert.deepEqual(
      [cut.extensions, cut.clock.resetCount, cut.clock.safe],
      [1, first.clock.resetCount + 2, false],
    );
    assert.equal(scene.chain().at(-1)?.payload.measurement.rolledBack, false);
  });

  it("shows that somebody else extended or reset its PCR", async () => {
    const agent = await start();
    await scene.challenge("a", null);
    await agent.end();
    await swtpm.tool("pcrextend", `${OWN}:sha256=${"07".repeat(32)}`);
    const next = await start();
    const extended = await scene.challenge("b", null);
    assert.notEqual(ownValue(extended), toldValue(extended));
    assert.equal((await scene.status()).attestation.ownPcr.foreign, true);
    await scene.broker.until(() => scene.events().some(({ code }) => code === "attestation.measurement-log"));
    await next.end();
    await swtpm.tool("pcrreset", `${OWN}`);
    await start();
    const reset = await scene.challenge("c", null);
    assert.notEqual(ownValue(reset), toldValue(reset));
  });

  it("sends the logs of the boot once, in slices that fit", async () => {
    const [bootLog, imaList] = [join(scene.data, "boot.log"), join(scene.data, "ima.list")];
    const lines = Array.from(
      { length: 3000 },
      (_, index) => `10 ${"%"} file ${Math.sin(index)} ${Math.cos(index * 7)}`,
    );
    writeFileSync(bootLog, "what the firmware measured");
    writeFileSync(imaList, lines.map((line) => `${line}\n`).join(""));
    await start("--boot-log", bootLog, "--ima-list", imaList);
    const first = await scene.challenge("0", null);
    const sent = first.payload.tpm!.bootLog!;
    assert.equal(gunzipSync(Buffer.from(sent.gzip ?? "", "base64")).toString(), "what the firmware measured");
    const got: string[] = [];
    let evidence = first;
    for (let nonce = 1; ; nonce += 1) {
      const { ima, bootLog: log } = evidence.payload.tpm!;
      assert.deepEqual([ima?.from, ima?.total, log?.digest], [got.length, lines.length, sent.digest]);
      if (nonce > 1) assert.equal(log?.gzip, null);
      if (!ima?.gzip) break;
      got.push(...gunzipSync(Buffer.from(ima.gzip, "base64")).toString().trimEnd().split("\n"));
      const have = { bootLog: sent.digest, ima: got.length, chain: evidence.payload.chain.index };
      evidence = await scene.challenge(nonce.toString(16), null, { have });
    }
    assert.deepEqual(got, lines);
  });

  it("tells that its disk was put back to an earlier state, and takes no index twice", async () => {
    const image = `${scene.data}-image`;
    const once = async (nonce: string) => {
      const agent = await start();
      const { payload } = await scene.challenge(nonce, null);
      await agent.end();
      return payload;
    };
    try {
      await once("a");
      cpSync(scene.data, image, { recursive: true });
      await once("b");
      const newest = await once("c");
      assert.equal(newest.measurement.rolledBack, false);
      rmSync(scene.data, { recursive: true });
      cpSync(image, scene.data, { recursive: true });
    } finally {
      rmSync(image, { recursive: true, force: true });
    }
    const agent = await start();
    const { index } = scene.chain().at(-1)!.payload.chain;
    const told = await scene.challenge("d", index);
    assert.deepEqual([told.payload.measurement.rolledBack, told.payload.chain.index], [true, index + 1]);
    await scene.broker.until(() => scene.events().some(({ code }) => code === "attestation.disk-put-back"));
    await agent.end();
    assert.equal((await once("e")).measurement.rolledBack, false, "it counts on from there");
  });

  it("goes on without a TPM that is gone, tells it, and takes it up again", async () => {
    const wire = new Wire(join(scene.data, "tpm.sock"), swtpm.socket);
    await wire.mend();
    await scene.start("--tpm", `swtpm:unix:${wire.path}`);
    verified(await scene.challenge("a", null));
    wire.cut();
    const { payload } = await scene.challenge("b", null);
    assert.equal(payload.tpm, null);
    await scene.broker.until(() => scene.events().some(({ code }) => code.startsWith("tpm.")));
    assert.equal((await scene.status()).attestation.tpm.state, "failed");
    await wire.mend();
    verified(await scene.challenge("c", null));
    scene.chain();
    wire.cut();
  });
});
