import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { goldenEvents } from "@muster/control-plane/attestation/appraisal/log-difference";
import type { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import type { Evidence, TpmEvidence } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import { parseEventLog } from "@muster/shared/tpm/event-log";
import { sha256 } from "@muster/shared/trust/digest";
import { Appraising, codesOf } from "../../support/attestation/appraising.ts";
import { MadeBox } from "../../support/attestation/made-box.ts";
import { idleMeasurement } from "../../support/attestation/prover.ts";
import { imaLine } from "../../support/ima-list.ts";

const FIRMWARE = [0, 1, 2, 3, 4, 5, 6, 7];
const AGENT = idleMeasurement().agent.digest as Digest;

const golden = (box: MadeBox, name: string): NonNullable<ReferenceSet["firmware"]>[number] => ({
  name,
  pcrs: {
    sha256: Object.fromEntries(
      FIRMWARE.filter((pcr) => !box.pcrs.get(pcr)?.equals(Buffer.alloc(32))).map((pcr) => [
        String(pcr),
        box.pcrs.get(pcr)!.toString("hex"),
      ]),
    ),
  },
  events: goldenEvents(parseEventLog(box.bootLog), FIRMWARE),
});

const referenceOf = (box: MadeBox, more: Partial<ReferenceSet> = {}): ReferenceSet => ({
  schema: "muster.reference-set/1",
  name: "box",
  sequence: 1,
  description: "a box",
  hardwareClass: "linux-x64-cpu",
  firmware: [golden(box, "Bios 1.04")],
  agents: [{ version: "0.1.0", digest: AGENT }],
  ...more,
});

/** A box that was enrolled and started its agent, with a reference set made of it. */
function trusted(kind: "ecc" | "rsa" = "ecc"): { plane: Appraising; box: MadeBox } {
  const box = new MadeBox({}, kind);
  box.measure("agent", AGENT);
  const plane = new Appraising(box);
  plane.policy = {
    ...plane.policy,
    pcrs: { bank: "sha256", indices: FIRMWARE.filter((pcr) => !box.pcrs.get(pcr)?.equals(Buffer.alloc(32))) },
  };
  plane.references = [referenceOf(box)];
  return { plane, box };
}

function reboot(box: MadeBox, facts: Parameters<MadeBox["boot"]>[0] = {}, safe = true): void {
  box.boot(facts, safe);
  box.measure("agent", AGENT);
}

const withTpm = ({ payload, ...rest }: Evidence, change: Partial<TpmEvidence>): Evidence => ({
  ...rest,
  payload: { ...payload, tpm: { ...payload.tpm!, ...change } },
});

for (const kind of ["ecc", "rsa"] as const)
  test(`a box as the reference set has it passes, its hardware too (${kind})`, async () => {
    const { plane } = trusted(kind);
    const verdict = await plane.ask();
    assert.equal(verdict.tier, "affirming", verdict.sentence);
    assert.equal(verdict.claims.hardware, "affirming");
    assert.deepEqual(codesOf(verdict), []);
    assert.match(verdict.sentence, /proven by its TPM/);
  });

const bad: [what: string, change: (evidence: Evidence) => Evidence, code: string, words: RegExp][] = [
  [
    "no TPM at all",
    (each) => ({ ...each, payload: { ...each.payload, tpm: null } }),
    "tpm-missing",
    /switched off or broken/,
  ],
  ["another TPM", (each) => withTpm(each, { akName: "000b".padEnd(68, "7") }), "tpm-foreign", /another TPM/],
  [
    "a wrong signature",
    (each) => withTpm(each, { signature: flipped(each.payload.tpm!.signature, 40) }),
    "quote-invalid",
    /not signed by the attestation key/,
  ],
  [
    "a wrong magic",
    (each) => withTpm(each, { quote: flipped(each.payload.tpm!.quote, 0) }),
    "quote-invalid",
    /signed/,
  ],
  [
    "bytes behind the quote",
    (each) =>
      withTpm(each, {
        quote: Buffer.concat([Buffer.from(each.payload.tpm!.quote, "base64"), Buffer.of(0)]).toString(
          "base64",
        ),
      }),
    "quote-invalid",
    /signed/,
  ],
  [
    "a measurement beside another quote",
    (each) => ({
      ...each,
      payload: { ...each.payload, measurement: idleMeasurement({ boot: "boot-0009" }) },
    }),
    "quote-invalid",
    /another challenge/,
  ],
  [
    "PCR values that were not quoted",
    (each) => withTpm(each, { pcrs: { sha256: { ...each.payload.tpm!.pcrs.sha256, "7": "00".repeat(32) } } }),
    "quote-invalid",
    /not those that the TPM signed/,
  ],
  ["a quote that is no structure", (each) => withTpm(each, { quote: "AAAA" }), "quote-invalid", /./],
];

const flipped = (base64: string, at: number): string => {
  const bytes = Buffer.from(base64, "base64");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString("base64");
};

for (const [what, change, code, words] of bad)
  test(`${what}: contraindicated`, async () => {
    const { plane } = trusted();
    await plane.ask();
    const verdict = await plane.ask(change);
    assert.equal(verdict.tier, "contraindicated");
    assert.ok(codesOf(verdict).includes(code), codesOf(verdict).join());
    assert.equal(verdict.findings[0]?.cause, code === "tpm-missing" ? "unknown" : "attack");
    assert.match(verdict.sentence, words);
  });

test("the policy's PCRs must be in the signed selection", async () => {
  const { plane, box } = trusted();
  box.quotes = [0, 7, 23];
  const verdict = await plane.ask();
  assert.equal(verdict.tier, "contraindicated");
  assert.match(verdict.sentence, /does not cover PCR 1/);
  const offline = plane.judge(await plane.prover.link()).verdict;
  assert.ok(codesOf(offline).includes("quote-incomplete"), "nobody asked for more while it was offline");
  assert.equal(offline.tier, "warning");
});

test("firmware PCRs of zeros prove nothing", async () => {
  const { plane, box } = trusted();
  box.pcrs.set(4, Buffer.alloc(32));
  const verdict = await plane.ask();
  assert.equal(verdict.tier, "contraindicated");
  assert.match(verdict.sentence, /PCR 4 \(boot loader\) is all zeros/);
});

test("a power cut, a restart and a sleep are information; counters that go back are not", async () => {
  const { plane, box } = trusted();
  await plane.ask();
  reboot(box, {}, false);
  box.clock = { ...box.clock, clock: 400_000n };
  const cut = await plane.ask();
  assert.equal(cut.tier, "affirming", cut.sentence);
  assert.deepEqual(
    cut.findings.map(({ code, cause }) => [code, cause]),
    [["attestation.power-cut", "power-cut"]],
  );
  assert.deepEqual(codesOf(await plane.ask()), []);
  reboot(box);
  assert.deepEqual(codesOf(await plane.ask()), ["restarted"]);
  box.clock = { ...box.clock, restartCount: 1 };
  assert.deepEqual(codesOf(await plane.ask()), ["resumed"]);
  const { clock } = box;
  box.clock = { ...clock, restartCount: 0 };
  assert.equal((await plane.ask()).findings[0]?.code, "attestation.clock-regressed");
  box.clock = { ...clock, clock: 1n };
  assert.equal((await plane.ask()).tier, "contraindicated");
  box.clock = { ...clock, resetCount: clock.resetCount - 1, restartCount: 9 };
  assert.match((await plane.ask()).sentence, /counters of its TPM went back/);
});

test("a firmware update that a reference set lists is told; one that none lists is told apart from an attack", async () => {
  const { plane, box } = trusted();
  await plane.ask();
  const updated = new MadeBox({ firmware: "EDGE-1.05" });
  plane.references = [
    referenceOf(box, { firmware: [golden(box, "Bios 1.04"), golden(updated, "Bios 1.05")] }),
  ];
  reboot(box, { firmware: "EDGE-1.05" });
  const known = await plane.ask();
  assert.equal(known.tier, "affirming", known.sentence);
  assert.ok(codesOf(known).includes("firmware-updated"));
  assert.match(known.findings.map(({ message }) => message).join(), /from Bios 1\.04 to Bios 1\.05/);

  reboot(box, { firmware: "EDGE-1.06" });
  const unknown = await plane.ask();
  assert.equal(unknown.tier, "contraindicated");
  assert.equal(unknown.findings[0]?.cause, "firmware-update");
  assert.match(
    unknown.sentence,
    /PCR 0 \(firmware code\).*EDGE-1\.06.*most likely its firmware was updated/s,
  );

  reboot(box, { firmware: "EDGE-1.05", secureBoot: false });
  const off = await plane.ask();
  assert.equal(off.findings[0]?.cause, "attack");
  assert.match(off.sentence, /PCR 7 \(Secure Boot.*treat it as an attack.*Secure Boot is off/s);

  reboot(box, { firmware: "EDGE-1.05", forbidden: Buffer.alloc(96, 0xdc) });
  const keys = await plane.ask();
  assert.equal(keys.findings[0]?.cause, "drift");
  plane.policy = { ...plane.policy, unknownFirmware: "warning" };
  assert.equal((await plane.ask()).tier, "warning");
});

test("a firmware PCR that changes while the box runs is an attack, until a restart", async () => {
  const { plane, box } = trusted();
  await plane.ask();
  box.extend(4, Buffer.alloc(32, 5));
  for (let times = 0; times < 2; times += 1) {
    const verdict = await plane.ask();
    assert.equal(verdict.tier, "contraindicated");
    assert.equal(
      verdict.findings.find(({ code }) => code === "attestation.firmware-unknown")?.cause,
      "attack",
    );
  }
  reboot(box);
  assert.equal((await plane.ask()).tier, "affirming");
});

test("without a reference set: a warning, and every change is told", async () => {
  const { plane, box } = trusted();
  plane.references = [referenceOf(box, { firmware: [] })];
  const first = await plane.ask();
  assert.equal(first.tier, "warning");
  assert.deepEqual(codesOf(first), ["no-reference"]);
  plane.policy = { ...plane.policy, unknownClass: "information" };
  assert.equal((await plane.ask()).tier, "affirming");
  reboot(box, { firmware: "EDGE-1.05" });
  const changed = await plane.ask();
  assert.equal(changed.tier, "warning");
  assert.equal(changed.findings[0]?.cause, "firmware-update");
  box.extend(0, Buffer.alloc(32, 5));
  const running = await plane.ask();
  assert.equal(running.tier, "contraindicated");
});

test("a boot log explains and never excuses", async () => {
  const { plane, box } = trusted();
  const other = new MadeBox({ kernel: "vmlinuz-evil", bootLoader: "evil" });
  // The device signs its logs as it signs all else: one that lies has only its TPM against it.
  const lying = (each: Evidence) =>
    withTpm(each, {
      bootLog: {
        digest: sha256(other.bootLog),
        bytes: other.bootLog.length,
        gzip: gzipSync(other.bootLog).toString("base64"),
        oversized: false,
      },
    });
  const good = await plane.ask(lying);
  assert.equal(good.tier, "warning");
  assert.equal(good.findings[0]?.code, "attestation.log-mismatch");
  assert.equal(good.findings[0]?.cause, "fault");
  reboot(box, { firmware: "EDGE-1.09" });
  const bad = await plane.ask(lying);
  assert.equal(bad.tier, "contraindicated");
  assert.ok(
    bad.findings.some(({ code, cause }) => code === "attestation.log-mismatch" && cause === "attack"),
  );
  const broken = await plane.ask((each) =>
    withTpm(each, {
      bootLog: { digest: sha256("x"), bytes: 1, gzip: gzipSync("x").toString("base64"), oversized: false },
    }),
  );
  assert.ok(codesOf(broken).includes("log-mismatch"));
});

test("the agent's PCR has to come about as it says", async () => {
  const { plane, box } = trusted();
  await plane.ask();
  box.extend(23, Buffer.alloc(32, 1));
  const foreign = await plane.ask();
  assert.ok(codesOf(foreign).includes("measurement-log"));
  assert.equal(foreign.claims.executables, "contraindicated");

  const replaced = trusted();
  replaced.plane.prover.measurement = idleMeasurement({
    agent: { version: "0.1.0", digest: `sha256:${"5".repeat(64)}` },
  });
  assert.ok(codesOf(await replaced.plane.ask()).includes("measurement-log"));

  const reset = trusted();
  reset.box.measure("release", `sha256:${"4".repeat(64)}`);
  await reset.plane.ask();
  reset.box.pcrs.set(23, Buffer.alloc(32));
  reset.box.extensions = [];
  reset.box.measure("agent", AGENT);
  assert.ok(codesOf(await reset.plane.ask()).includes("measurement-reset"));
});

test("IMA: rules, violations and slices over one boot; a list that was changed is found", async () => {
  const { plane, box } = trusted();
  const content = "#!/bin/sh\n";
  plane.references = [
    referenceOf(box, {
      ima: {
        rules: [
          { paths: ["/usr/lib/**"] },
          { paths: ["/usr/bin/*"], digests: [sha256(content)] },
          { paths: ["/opt/*"], signedBy: ["aabbccdd"] },
        ],
        otherwise: "contraindicated",
      },
    }),
  ];
  box.use({ path: "boot_aggregate", content: "x" });
  box.use({ path: "/usr/lib/a/b.so", content: "1" });
  box.use({ path: "/usr/bin/tool", content });
  box.use({ path: "/opt/app", content: "2", signature: "030204aabbccdd0000" });
  const first = await plane.ask();
  assert.equal(first.tier, "affirming", first.sentence);
  assert.equal(first.claims["file-system"], "affirming");
  assert.equal(plane.history.ima?.state.count, 4);
  box.use({ path: "/usr/bin/tool", content, violation: true });
  const violated = await plane.ask();
  assert.deepEqual(codesOf(violated), ["ima-violation"]);
  box.use({ path: "/tmp/miner", content: "3" });
  const found = await plane.ask();
  assert.equal(found.tier, "contraindicated");
  assert.match(found.sentence, /1 file that no rule allows \(\/tmp\/miner\)/);
  assert.equal((await plane.ask()).tier, "contraindicated", "it stays until a restart");
  reboot(box);
  box.use({ path: "/usr/lib/a", content: "1" });
  assert.equal((await plane.ask()).tier, "affirming");
  box.use({ path: "/tmp/miner", content: "3" });
  box.lines.splice(1, 1, imaLine({ path: "/usr/lib/b", content: "1" }));
  assert.ok(codesOf(await plane.ask()).includes("ima-mismatch"), "another line in its place");
  box.lines.splice(1, 1);
  assert.ok(codesOf(await plane.ask()).includes("ima-mismatch"), "a line left out");
});

test("enrolled without a TPM, a quote counts for nothing and is told", async () => {
  const plane = new Appraising();
  const box = new MadeBox();
  const made = new Appraising(box);
  const evidence = await made.prover.link(made.challenge());
  const { verdict } = plane.judge(evidence);
  assert.equal(verdict.tier, "affirming");
  assert.ok(codesOf(verdict).includes("tpm-unbound"));
  assert.equal(verdict.claims.hardware, "none");
});

test("the firmware of the TPM: a change is told, an old one warned of", async () => {
  const { plane, box } = trusted();
  plane.references = [referenceOf(box, { minimum: { tpmFirmware: "2019102300163637" } })];
  assert.deepEqual(codesOf(await plane.ask()), ["tpm-firmware-old"]);
  plane.history = { ...plane.history, tpmFirmware: "2018000000000000" };
  assert.ok(codesOf(await plane.ask()).includes("tpm-firmware-changed"));
});

test("a box with a TPM that lost its chain is known by its TPM", async () => {
  const { plane } = trusted();
  await plane.ask();
  plane.prover.previous = null;
  const verdict = await plane.ask();
  assert.equal(verdict.tier, "warning");
  assert.deepEqual(codesOf(verdict), ["chain-restarted"]);
});

const offlineQuoting = async (plane: Appraising, box: MadeBox, pcrs: readonly number[]) => {
  box.quotes = pcrs;
  const evidence = await plane.prover.link(null);
  box.quotes = undefined;
  return plane.judge(evidence, "offline");
};

test("a quote that leaves PCRs out is no ground for what it leaves out", async () => {
  const { plane, box } = trusted();
  plane.references = [referenceOf(box, { firmware: [] })];
  plane.policy = { ...plane.policy, unknownClass: "information" };
  await plane.ask();
  reboot(box, { firmware: "EDGE-1.05" });
  const { verdict } = await offlineQuoting(plane, box, [16, 23]);
  assert.ok(codesOf(verdict).includes("quote-incomplete"));
  assert.ok(codesOf(await plane.ask()).includes("firmware-changed"), "what it was before is not forgotten");
});

test("a list of measurements without its beginning, without an agent or kept back does not pass for one", async () => {
  type Own = NonNullable<TpmEvidence["own"]>;
  const lying = (change: (own: Own, box: MadeBox) => Own | null) => {
    const { plane, box } = trusted();
    box.lies = (said) => ({ ...said, own: change(said.own!, box) });
    return { plane, box };
  };
  const base = (box: MadeBox) => box.pcrs.get(23)!.toString("hex");
  for (const dropped of [0, 9]) {
    const { plane } = lying((own, box) => ({ ...own, base: base(box), extensions: [], dropped }));
    assert.equal((await plane.ask()).claims.executables, "contraindicated");
  }
  const empty = trusted();
  empty.box.extensions = [];
  empty.box.pcrs.set(23, Buffer.alloc(32));
  assert.equal((await empty.plane.ask()).claims.executables, "contraindicated");

  const silent = lying(() => null);
  assert.equal((await silent.plane.ask()).tier, "affirming", "one that never told a list");
  const { lies } = silent.box;
  silent.box.lies = (said) => said;
  await silent.plane.ask();
  silent.box.lies = lies;
  assert.deepEqual(codesOf(await silent.plane.ask()), ["measurement-log"]);
  assert.deepEqual(codesOf(await silent.plane.ask()), ["measurement-log"], "and again");
});

test("IMA: silence, a list in drips and one that begins anew forget nothing", async () => {
  const ima = { rules: [{ paths: ["/usr/**"] }], otherwise: "contraindicated" as const };
  const begun = () => {
    const { plane, box } = trusted();
    plane.references = [referenceOf(box, { ima })];
    for (const path of ["/usr/a", "/usr/b"]) box.use({ path, content: "1" });
    const packed = gzipSync(box.lines[0]!).toString("base64");
    const lies: TpmEvidence["ima"][] = [
      null,
      { total: 900, from: 0, lines: 0, gzip: null },
      { total: 900, from: 0, lines: 1, gzip: packed },
      { total: 900, from: 7, lines: 0, gzip: null },
    ];
    return { plane, box, lies };
  };
  for (const lie of begun().lies.slice(0, 3)) {
    const { plane, box } = begun();
    box.lies = (said) => ({ ...said, ima: lie });
    assert.equal((await plane.ask()).tier, "contraindicated");
    assert.equal((await plane.ask()).tier, "contraindicated");
    box.lies = (said) => said;
    assert.equal((await plane.ask()).tier, "affirming");
  }
  const { plane, box, lies } = begun();
  assert.equal((await plane.ask()).tier, "affirming");
  box.use({ path: "/tmp/miner", content: "3" });
  assert.deepEqual(codesOf(await plane.ask()), ["ima-unlisted"]);
  for (const lie of lies) {
    box.lies = (said) => ({ ...said, ima: lie });
    assert.ok(codesOf(await plane.ask()).includes("ima-unlisted"), JSON.stringify(lie));
  }
});

test("a TPM that went back stays behind until it has caught up", async () => {
  const { plane, box } = trusted();
  await plane.ask();
  const before = box.clock;
  box.clock = { ...before, resetCount: before.resetCount - 1 };
  assert.ok(codesOf(await plane.ask()).includes("clock-regressed"));
  assert.ok(codesOf(await plane.ask()).includes("clock-regressed"), "time alone does not mend it");
  box.clock = { ...before, resetCount: before.resetCount + 1 };
  assert.equal((await plane.ask()).tier, "affirming");
});

test("a chain that begins anew does not make a gap forgotten", async () => {
  const { plane } = trusted();
  await plane.ask();
  await plane.prover.link(null);
  await plane.ask();
  plane.now += 2 * 3_600_000;
  plane.prover.previous = null;
  assert.deepEqual(codesOf(await plane.ask()).sort(), ["chain-gap", "chain-restarted"]);
});
