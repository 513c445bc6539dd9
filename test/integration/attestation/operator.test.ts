import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type {
  AttestationHistory,
  AttestationList,
  AttestationPolicyList,
  AttestationResource,
  ReferenceList,
} from "@muster/control-plane/api/schemas/attestation";
import type { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import type { EnrollResponse } from "@muster/shared/protocol/device-api";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import { AttestingSession } from "../../support/attestation/attester.ts";
import { idleMeasurement, Prover } from "../../support/attestation/prover.ts";
import { askDeviceApi } from "../../support/fleet/client.ts";
import { enrollRequest, newDevice } from "../../support/fleet/keys.ts";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

let plane: TestControlPlane;
let keys: string;
let device: string;
let prover: Prover;
let session: AttestingSession;

before(async () => {
  plane = await TestControlPlane.start();
  keys = join(plane.home, "keys");
  await plane.json("keys", "init", "--keys", keys);
  await plane.json("trust", "init", "--keys", keys);
  const certificate = await readFile(join(plane.ready.dataDir, "ca", "ca.crt"), "utf8");
  const at = {
    httpsPort: Number(new URL(plane.ready.deviceUrl).port),
    mqttPort: Number(new URL(plane.ready.mqttUrl).port),
    authority: { certificate },
  };
  const key = signingKeyFrom(randomBytes(32));
  const made = { ...(await newDevice()), signingKey: key.publicKey };
  const { token } = await plane.json<{ token: string }>("token", "create", "--site", "eu/berlin");
  const body = enrollRequest(made, parseJoinToken(token), { name: "cam-1" });
  const { text } = await askDeviceApi(at, DEVICE_API.enroll, { method: "POST", body });
  const answer = JSON.parse(text) as Extract<EnrollResponse, { certificate: string }>;
  device = made.id;
  prover = new Prover(made.id, undefined, key);
  session = await AttestingSession.open(at, { ...made, certificate: answer.certificate }, prover);
  await until(async () => (await show()).verdict === "affirming");
});
after(async () => {
  await session.close();
  await plane.close();
});

const show = () => plane.json<AttestationResource>("attestation", "show", "cam-1");

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await plane.muster(args);
  assert.equal(code, 0, stderr);
  return stdout + stderr;
}

test("status, show and history say the same in words and in JSON", async () => {
  const status = await plane.json<AttestationList>("attestation", "status");
  assert.deepEqual(status.counts, { affirming: 1, warning: 0, contraindicated: 0, none: 0 });
  assert.match(
    await said("attestation", "status"),
    /cam-1 +eu\/berlin +affirming[\s\S]*1 pass, 0 with a warning/,
  );
  assert.match(await said("attestation", "show", "cam-1"), /It passes: proven by a key in software/);
  assert.match(await said("attestation", "history", "cam-1"), /challenge +affirming +It passes/);
  assert.match(await said("device", "show", "cam-1"), /It passes: proven by a key in software/);
  const { code, stderr } = await plane.muster(["attestation", "clear", "cam-1", "--reason", "x"]);
  assert.notEqual(code, 0);
  assert.match(stderr, /There is no fork to clear/);
});

test("learn, review, sign, import, list, show, remove", async () => {
  const file = join(plane.home, "bench.json");
  await said("reference", "learn", "cam-1", "--name", "bench", "-o", file);
  const learned = JSON.parse(await readFile(file, "utf8")) as ReferenceSet;
  assert.deepEqual(learned.agents, [idleMeasurement().agent]);
  const signed = join(plane.home, "bench.signed.json");
  await said("reference", "sign", file, "--keys", keys, "-o", signed);
  assert.match(
    await said("reference", "import", signed),
    /bench \(sequence 1\) is in force for linux-x64-cpu/,
  );
  const references = await plane.json<ReferenceList["references"]>("reference", "list");
  assert.equal(references[0]?.counts.agents, 1);
  assert.match(await said("reference", "show", "bench"), /"signature"/);
  assert.deepEqual((await show()).references, ["bench"]);

  prover.measurement = idleMeasurement({ agent: { version: "0.1.0", digest: `sha256:${"5".repeat(64)}` } });
  await said("attestation", "refresh", "cam-1");
  await until(async () => (await show()).verdict === "warning");
  assert.match((await show()).sentence, /other code than the 0\.1\.0 of the reference sets/);

  const broken = join(plane.home, "broken.json");
  await writeFile(broken, JSON.stringify({ ...learned, sequence: 2, agents: "all" }));
  const { code, stderr } = await plane.muster(["reference", "import", broken, "--keys", keys]);
  assert.notEqual(code, 0);
  assert.match(stderr, /attestation\.reference-invalid/);
  await said("reference", "remove", "bench");
  assert.equal((await show()).verdict, "affirming");
});

test("policy: off asks nobody, report withholds nobody, unattested devices may be withheld", async () => {
  await said("attestation", "policy", "set", "--unknown-agent", "contraindicated", "--interval", "10m");
  await said("attestation", "policy", "set", "--mode", "off", "--site", "eu/berlin");
  const off = await show();
  assert.equal(off.verdict, "none");
  assert.equal(off.policy.intervalMs, 600_000);
  const { code, stderr } = await plane.muster(["attestation", "refresh", "cam-1"]);
  assert.notEqual(code, 0);
  assert.match(stderr, /policy is off/);
  const { policies } = await plane.json<AttestationPolicyList>("attestation", "policy", "list");
  assert.deepEqual(
    policies.map(({ scope, content }) => [scope, content]),
    [
      ["fleet", { unknownAgent: "contraindicated", intervalMs: 600_000 }],
      ["site:eu/berlin", { mode: "off" }],
    ],
  );
  await said("attestation", "policy", "remove", "--site", "eu/berlin");
  assert.equal((await show()).verdict, "affirming");
  await said("attestation", "policy", "set", "--unattested", "withhold", "--class", "linux-x64-cpu");
  assert.equal((await show()).withheld, false, "its verdict is in force");

  const refused = await plane.muster(["attestation", "policy", "set", "--max-age", "5m"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /attestation\.policy-invalid/);
  const unknown = await plane.call("PUT", "/attestation/policies", { scope: {}, content: { mode: "maybe" } });
  assert.equal(unknown.status, 400);
  await unknown.body?.cancel();
});

test("what was found is in the history after a restart, and verdicts stay in force", async () => {
  const before = await plane.json<AttestationHistory["entries"]>("attestation", "history", "cam-1");
  await session.close();
  plane = await plane.restart("SIGKILL");
  assert.deepEqual(await plane.json("attestation", "history", "cam-1"), before);
  assert.equal((await show()).verdict, "affirming");
  assert.equal((await show()).device, device);
});
