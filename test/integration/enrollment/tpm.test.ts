import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { answerChallenge, tpmIdentityOf } from "@muster/agent/identity/activate";
import { buildCsr } from "@muster/agent/identity/csr";
import { Identity, type IdentityTpm } from "@muster/agent/identity/identity";
import type { DeviceKeys } from "@muster/agent/identity/keys";
import { postBound } from "@muster/agent/link/bound-request";
import { DeviceHttp } from "@muster/agent/link/device-http";
import { openTpm, type Tpm } from "@muster/agent/tpm/tpm";
import { isMusterError, MusterError } from "@muster/shared/errors";
import {
  type ActivationChallenge,
  DEVICE_API,
  type EnrollRequest,
  type TpmIdentity,
} from "@muster/shared/protocol/device-api";
import { TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { encodePublic, parsePublic, toKeyObject } from "@muster/shared/tpm/public-area";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import { ENCIPHERS, makeCertificate, SIGNS } from "../../support/certificates/certificate.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { HARDWARE } from "../../support/fleet/keys.ts";
import { Swtpm } from "../../support/swtpm/swtpm.ts";
import { EnrollingBox, joinToken } from "./box.ts";

const DAY_MS = 86_400_000;
const code = (expected: string) => (error: unknown) =>
  isMusterError(error) && (error.code === expected || assert.fail(`${error.code}: ${error.message}`));

let clock = 0;
let fleet: TestFleet;
const chips: Swtpm[] = [];
const boxes: EnrollingBox[] = [];
/** Two boxes of one maker. */
let one: Tpm;
let other: Tpm;

before(async () => {
  chips.push(await Swtpm.make(), await Swtpm.make());
  clock = Date.now();
  fleet = await startFleet({ now: () => clock });
  [one, other] = (await Promise.all(chips.map(async ({ setting }) => (await openTpm(setting)) as Tpm))) as [
    Tpm,
    Tpm,
  ];
});
after(async () => {
  await one?.close();
  await other?.close();
  await Promise.all(chips.map((chip) => chip.stop()));
  await fleet.close();
});
afterEach(async () => {
  clock = Date.now();
  for (const box of boxes.splice(0)) await box.remove();
  // Each test begins with a fleet that knows neither TPM.
  await fleet.stores.writeControl((db) => {
    db.exec("UPDATE devices SET ek_name = NULL");
    db.exec("DELETE FROM ek_roots");
  });
});

async function newBox(): Promise<EnrollingBox> {
  const box = await EnrollingBox.make(fleet);
  boxes.push(box);
  return box;
}

const identityOf = async (device: string) => (await fleet.fleet.get(device)).identity;

/** The first half of an enrollment, as the agent does it, with what it says of its TPM at choice. */
async function ask(keys: DeviceKeys, token: string, tpm: TpmIdentity): Promise<ActivationChallenge> {
  const { id, secret } = parseJoinToken(token);
  const request: EnrollRequest = {
    token: `${id}.${secret}`,
    csr: await buildCsr(keys.device, keys.tlsKey),
    signingKey: keys.signing.publicKey,
    sealingKey: keys.sealing.publicKey,
    hardware: HARDWARE,
    tpm,
  };
  const answer = await fleet.enrollment.enroll(request, "mqtts://localhost");
  assert.ok("challenge" in answer);
  return answer;
}

const way = (token: string) => ({
  server: `https://localhost:${fleet.httpsPort}`,
  ca: fleet.authority.certificate,
  token: parseJoinToken(token).id,
  timeoutMs: 10_000,
});

describe("enrollment with a TPM", () => {
  it("pins a TPM whose maker nobody knows, and certifies it once the maker's authority is believed", async () => {
    const box = await newBox();
    const identity = await box.enroll(one, await joinToken(fleet));
    const { device } = identity.keys;
    assert.equal(identity.enrollment?.assurance, "tpm-pinned");
    const known = await identityOf(device);
    assert.equal(known.assurance, "tpm-pinned");
    assert.match(known.reason ?? "", /No authority is known that leads to CN=swtpm-localca/);
    assert.equal(known.ekName, (await one.endorsement()).name.toString("hex"));
    assert.equal(known.akName, (await one.attestationKey()).name.toString("hex"));
    assert.equal(known.sealingKey, identity.keys.sealing.publicKey);

    await fleet.ekRoots.add(chips[1]?.issuer ?? "");
    const second = await (await newBox()).enroll(
      other,
      await joinToken(fleet, { minAssurance: "tpm-certified" }),
    );
    const certified = await identityOf(second.keys.device);
    assert.equal(certified.assurance, "tpm-certified");
    assert.match(certified.reason ?? "", /certified by CN=swtpm-localca/);
    assert.equal(fleet.fleet.list({ selector: "assurance=tpm-certified" }).items.length, 1);
  });

  it("climbs to the root over certificates that the device brings", async () => {
    await fleet.ekRoots.add(chips[0]?.root ?? "");
    const issuer = new X509Certificate(chips[0]?.issuer ?? "").raw;
    const { certificates, ...endorsement } = await one.endorsement();
    const bringing = Object.assign(Object.create(one), {
      endorsement: async () => ({ ...endorsement, certificates: [...certificates, issuer] }),
      attestationKey: () => one.attestationKey(),
      activateCredential: (blob: Uint8Array, secret: Uint8Array) => one.activateCredential(blob, secret),
      seal: (data: Uint8Array) => one.seal(data, null),
      unseal: (blob: Uint8Array) => one.unseal(blob),
    }) as IdentityTpm;
    const identity = await (await newBox()).enroll(bringing, await joinToken(fleet));
    assert.equal((await identityOf(identity.keys.device)).assurance, "tpm-certified");
  });

  it("refuses a device that is less sure than its token asks, and spends nothing", async () => {
    const token = await joinToken(fleet, { minAssurance: "tpm-certified" });
    const low = code("enrollment.assurance-too-low");
    await assert.rejects((await newBox()).enroll(undefined, token), low);
    await assert.rejects((await newBox()).enroll(one, token), low);
    const [stored] = await fleet.tokens.list();
    assert.equal(stored?.usesLeft, 1);
    const pinned = await joinToken(fleet, { minAssurance: "tpm-pinned" });
    await assert.rejects((await newBox()).enroll(undefined, pinned), low);
    await (await newBox()).enroll(one, pinned);
  });

  it("lets nobody in who names the endorsement key of another TPM", async () => {
    const box = await newBox();
    const { keys } = await box.open(one);
    const token = await joinToken(fleet);
    const mine = await tpmIdentityOf(one);
    const stolen = { ...mine, ekPublic: (await other.endorsement()).public.toString("base64") };
    const challenge = await ask(keys, token, stolen);
    // A chip that holds another key says that it cannot decrypt, each maker's in its own words.
    await assert.rejects(
      answerChallenge(keys, one, challenge, way(token)),
      (error) => isMusterError(error) && /^tpm\.(credential-refused|failed)$/.test(error.code),
    );
    // Nor does the owner of that key open it: the secret is for an attestation key of its own.
    const again = await ask(keys, token, stolen);
    await assert.rejects(answerChallenge(keys, other, again, way(token)), code("tpm.credential-refused"));
    const third = await ask(keys, token, stolen);
    await assert.rejects(
      postBound({ ...way(token), path: DEVICE_API.activate, tls: { ca: way(token).ca } }, () => ({
        id: third.challenge.id,
        proof: "0".repeat(64),
      })),
      code("enrollment.proof-invalid"),
    );
    assert.equal(fleet.fleet.list({ text: keys.device }).items.length, 0);
  });

  it("takes no attestation key that signs whatever it is given", async () => {
    const { keys } = await (await newBox()).open(one);
    const mine = await tpmIdentityOf(one);
    const area = parsePublic(Buffer.from(mine.akPublic, "base64"));
    const free = encodePublic({ ...area, attributes: area.attributes & ~TPMA_OBJECT.RESTRICTED });
    await assert.rejects(
      ask(keys, await joinToken(fleet), { ...mine, akPublic: free.toString("base64") }),
      code("tpm.key-unfit"),
    );
    // The attestation key itself is no endorsement key.
    await assert.rejects(
      ask(keys, await joinToken(fleet), { ...mine, ekPublic: mine.akPublic }),
      code("tpm.key-unfit"),
    );
    await assert.rejects(
      ask(keys, await joinToken(fleet), { ...mine, ekPublic: "AAAA" }),
      code("tpm.malformed"),
    );
  });

  it("takes a proof once, over the connection that it was made for, and in time", async () => {
    const { keys } = await (await newBox()).open(one);
    const token = await joinToken(fleet);
    const mine = await tpmIdentityOf(one);
    const post = (body: unknown) =>
      postBound({ ...way(token), path: DEVICE_API.activate, tls: { ca: way(token).ca } }, () => body);

    // Whoever sits in between has the request and brings it over a connection of his own.
    const sent: unknown[] = [];
    const overheard = await ask(keys, token, mine);
    const real = JSON.stringify;
    JSON.stringify = ((value: unknown, ...rest: []) => {
      if (typeof value === "object" && value !== null && "proof" in value) {
        sent.push(value);
        throw new Error("the line is cut");
      }
      return real(value, ...rest);
    }) as typeof JSON.stringify;
    try {
      await assert.rejects(answerChallenge(keys, one, overheard, way(token)), /the line is cut/);
    } finally {
      JSON.stringify = real;
    }
    assert.equal(sent.length, 1);
    await assert.rejects(post(sent[0]), code("enrollment.proof-invalid"));
    await assert.rejects(post(sent[0]), code("enrollment.challenge-unknown"));

    const late = await ask(keys, token, mine);
    clock += 121_000;
    await assert.rejects(answerChallenge(keys, one, late, way(token)), code("enrollment.challenge-expired"));
    clock = Date.now();

    const good = await ask(keys, token, mine);
    assert.match(await answerChallenge(keys, one, good, way(token)), /"assurance":"tpm-pinned"/);
    await assert.rejects(answerChallenge(keys, one, good, way(token)), code("enrollment.challenge-unknown"));
  });

  it("binds the proof to every key that it enrolls", async () => {
    const { keys } = await (await newBox()).open(one);
    const { keys: mallory } = await (await newBox()).open(undefined);
    const token = await joinToken(fleet);
    const mine = await tpmIdentityOf(one);
    for (const swapped of [
      { ...keys, sealing: mallory.sealing },
      { ...keys, signing: mallory.signing },
      { ...mallory, signing: keys.signing, sealing: keys.sealing },
    ]) {
      const challenge = await ask(swapped, token, mine);
      await assert.rejects(
        answerChallenge(keys, one, challenge, way(token)),
        code("enrollment.proof-invalid"),
      );
    }
  });

  it("lets in one device for one TPM, and none with that of a revoked one", async () => {
    const first = await (await newBox()).enroll(one, await joinToken(fleet));
    const second = await newBox();
    await assert.rejects(second.enroll(one, await joinToken(fleet)), code("enrollment.tpm-taken"));
    await fleet.standing.revoke(first.keys.device, "stolen");
    await assert.rejects(second.enroll(one, await joinToken(fleet)), code("enrollment.tpm-revoked"));
  });

  it("keeps out who forged a certificate of a maker that is believed", async () => {
    const maker = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const forger = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const common = { issuer: "maker", issuerKey: maker.publicKey };
    const root = { ...common, subject: "maker", authority: true as const, usage: SIGNS };
    const ekPublic = (await one.endorsement()).public;
    const leaf = { ...common, subject: "", publicKey: toKeyObject(parsePublic(ekPublic)), usage: ENCIPHERS };
    await fleet.ekRoots.add(
      makeCertificate({ ...root, publicKey: maker.publicKey, signer: maker.privateKey }).toString(),
    );
    const mine = await tpmIdentityOf(one);
    const certificate = (signer: KeyObject) => [makeCertificate({ ...leaf, signer }).raw.toString("base64")];
    const { keys } = await (await newBox()).open(one);
    const token = await joinToken(fleet, { minAssurance: "tpm-certified" });
    await assert.rejects(
      ask(keys, token, { ...mine, ekCertificates: certificate(forger.privateKey) }),
      code("enrollment.ek-certificate-invalid"),
    );
    const real = await ask(keys, token, { ...mine, ekCertificates: certificate(maker.privateKey) });
    assert.match(await answerChallenge(keys, one, real, way(token)), /"assurance":"tpm-certified"/);
  });

  it("does not certify by a certificate of another TPM", async () => {
    await fleet.ekRoots.add(chips[1]?.issuer ?? "");
    const { keys } = await (await newBox()).open(one);
    const token = await joinToken(fleet);
    const mine = await tpmIdentityOf(one);
    const challenge = await ask(keys, token, {
      ...mine,
      ekCertificates: (await tpmIdentityOf(other)).ekCertificates,
    });
    await answerChallenge(keys, one, challenge, way(token));
    const known = await identityOf(keys.device);
    assert.equal(known.assurance, "tpm-pinned");
    assert.match(known.reason ?? "", /No certificate of the TPM is for its endorsement key/);
  });
});

describe("a device that is bound to its TPM", () => {
  it("keeps its keys sealed: a copy of the disk is worth nothing elsewhere", async () => {
    const box = await newBox();
    const identity = await box.enroll(one, await joinToken(fleet));
    const names = await readdir(box.identityDirectory);
    assert.deepEqual(names.filter((name) => name.includes(".key")).sort(), [
      "device.key.sealed",
      "sealing.key.sealed",
      "signing.key.sealed",
    ]);
    for (const name of names)
      assert.doesNotMatch(await readFile(join(box.identityDirectory, name), "latin1"), /PRIVATE KEY/);
    assert.equal((await box.open(one)).keys.tlsKey, identity.keys.tlsKey);

    const copy = await newBox();
    await cp(box.directory, copy.directory, { recursive: true });
    await assert.rejects(copy.open(other), code("enrollment.keys-sealed"));
    await assert.rejects(copy.open(undefined), code("enrollment.keys-sealed"));
    const closed = await Identity.closed(copy.identityDirectory);
    assert.equal(closed?.device, identity.keys.device);
    assert.equal(closed?.place?.assurance, "tpm-pinned");
    await assert.rejects(
      closed?.unlock(async () => other),
      code("enrollment.keys-sealed"),
    );
    assert.match(closed?.closedBy?.message ?? "", /is sealed by a TPM/);
    for (const use of [() => closed?.keys, () => closed?.tls(), () => closed?.needsEnrollment(clock)])
      assert.throws(use, code("enrollment.keys-closed"));
    const order = copy.order(await joinToken(fleet));
    await assert.rejects(
      closed?.enroll(order, () => undefined) ?? Promise.resolve(),
      code("enrollment.keys-closed"),
    );
    await closed?.unlock(async () => one);
    await closed?.opened;
    assert.equal(closed?.tls().key, identity.keys.tlsKey);
    assert.equal(await Identity.closed(join(copy.directory, "nowhere")), undefined);
  });

  it("seals keys that lay open as soon as there is a TPM", async () => {
    const box = await newBox();
    const before = await box.open(undefined);
    const after = await box.open(one);
    assert.deepEqual(after.keys, before.keys);
    assert.ok(!(await readdir(box.identityDirectory)).includes("device.key"));
    // A power cut between the two leaves both: the open one goes.
    await writeFile(join(box.identityDirectory, "device.key"), "half");
    assert.deepEqual((await box.open(one)).keys, before.keys);
    assert.ok(!(await readdir(box.identityDirectory)).includes("device.key"));
  });

  it("goes on with keys that lie open where its TPM does not seal them, and says so", async () => {
    const box = await newBox();
    const before = await box.enroll(undefined, await joinToken(fleet));
    const broken: IdentityTpm = {
      endorsement: () => one.endorsement(),
      attestationKey: () => one.attestationKey(),
      activateCredential: (blob, secret) => one.activateCredential(blob, secret),
      seal: async () => {
        throw new MusterError("tpm.authorization-failed");
      },
      unseal: (blob) => one.unseal(blob),
    };
    const told: string[] = [];
    const closed = await Identity.closed(box.identityDirectory);
    await closed?.unlock(
      async () => broken,
      (error) => told.push(error.code),
    );
    assert.equal(closed?.tls().key, before.keys.tlsKey);
    assert.deepEqual([...new Set(told)], ["tpm.authorization-failed"]);
    assert.ok((await readdir(box.identityDirectory)).includes("device.key"));
    await assert.rejects((await newBox()).open(broken), code("tpm.authorization-failed"));
  });

  it("is not believed with copied keys and another TPM, or with none", async () => {
    const box = await newBox();
    const { keys } = await box.enroll(one, await joinToken(fleet));
    const thief = await newBox();
    await writeKeys(thief, keys);
    const late = clock + 40 * DAY_MS;
    clock = late;
    const again = () => joinToken(fleet, {}, late);
    await assert.rejects(thief.enroll(undefined, await again(), late), code("enrollment.tpm-changed"));
    await assert.rejects(thief.enroll(other, await again(), late), code("enrollment.tpm-changed"));
    const known = await identityOf(keys.device);
    assert.equal(known.ekName, (await one.endorsement()).name.toString("hex"));
  });

  it("renews its certificate and enrolls again after it was off for long, and stays bound", async () => {
    const box = await newBox();
    const identity = await box.enroll(one, await joinToken(fleet));
    const { device } = identity.keys;
    const bound = await identityOf(device);
    const server = () => `https://localhost:${fleet.httpsPort}`;
    const http = new DeviceHttp({ server, tls: () => identity.tls(), timeoutMs: 10_000 });
    assert.equal(await identity.renewIfDue(http, identity.renewAt() + 1), true);
    http.close();
    assert.deepEqual(await identityOf(device), bound);

    clock += 40 * DAY_MS;
    const back = await box.open(one);
    assert.equal(back.needsEnrollment(clock), true);
    await fleet.ekRoots.add(chips[0]?.issuer ?? "");
    await back.enroll(box.order(await joinToken(fleet, {}, clock), clock), () => undefined);
    assert.deepEqual((await identityOf(device)).ekName, bound.ekName);
    assert.equal((await identityOf(device)).assurance, "tpm-certified", "its maker is believed by now");
  });

  it("opens its keys after a power cut and a restart of the chip", async () => {
    const chip = await Swtpm.make({ certificates: false });
    chips.push(chip);
    let tpm = (await openTpm(chip.setting)) as Tpm;
    const box = await newBox();
    const identity = await box.enroll(tpm, await joinToken(fleet));
    assert.match((await identityOf(identity.keys.device)).reason ?? "", /no endorsement certificate/);
    await tpm.close();
    await chip.powerCut();
    tpm = (await openTpm(chip.setting)) as Tpm;
    await tpm.extend(0, Buffer.alloc(32, 7));
    assert.equal((await box.open(tpm)).keys.device, identity.keys.device);
    await tpm.close();
  });

  it("hands its place to the board that replaces it, and to no other", async () => {
    const old = await (await newBox()).enroll(one, await joinToken(fleet, { labels: { line: "7" } }));
    const before = old.keys.device;
    await fleet.stores.writeControl((db) =>
      db.prepare("UPDATE devices SET name = 'press' WHERE id = ?").run(before),
    );
    const { id, secret, caPin } = await fleet.standing.replace(before, { expiresAt: clock + 60_000 });
    const token = `muster1.${id}.${secret}.${caPin}`;
    await assert.rejects((await newBox()).enroll(undefined, token), code("enrollment.assurance-too-low"));
    const next = await (await newBox()).enroll(other, token);
    const now = await fleet.fleet.get("press");
    assert.equal(now.id, next.keys.device);
    assert.deepEqual(now.labels, { line: "7" });
    assert.equal(now.identity.replaces, before);
    const former = await fleet.fleet.get(before);
    assert.equal(former.status, "revoked");
    assert.equal(former.identity.replacedBy, next.keys.device);
    assert.equal(former.name, before);
    // The old board kept its TPM: it may come back as a device of its own.
    await (await newBox()).enroll(one, await joinToken(fleet));
    await assert.rejects(
      fleet.standing.replace(before, { expiresAt: clock + 60_000 }),
      code("request.conflict"),
    );
  });

  it("comes back with new keys and the same TPM by the token for its place", async () => {
    const old = await (await newBox()).enroll(one, await joinToken(fleet));
    await fleet.standing.revoke(old.keys.device, "the disk died");
    const { id, secret, caPin } = await fleet.standing.replace(old.keys.device, {
      expiresAt: clock + 60_000,
    });
    const next = await (await newBox()).enroll(one, `muster1.${id}.${secret}.${caPin}`);
    assert.equal((await identityOf(next.keys.device)).replaces, old.keys.device);
  });
});

/** Keys as a thief has them who got them out of the memory of a box. */
async function writeKeys(box: EnrollingBox, keys: DeviceKeys): Promise<void> {
  await Identity.open(box.identityDirectory);
  const files = {
    "device.key": keys.tlsKey,
    "signing.key": `${keys.signing.seed}\n`,
    "sealing.key": `${keys.sealing.secretKey}\n`,
  };
  for (const [name, content] of Object.entries(files))
    await writeFile(join(box.identityDirectory, name), content, { mode: 0o600 });
}
