import assert from "node:assert/strict";
import { test } from "node:test";
import type { PredictedRelease, Predictions } from "@muster/control-plane/attestation/appraisal/input";
import type { Measurement } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import { Appraising, codesOf } from "../../support/attestation/appraising.ts";
import { idleMeasurement } from "../../support/attestation/prover.ts";

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const release = (version: string, digit: string): PredictedRelease => ({
  digest: digest(digit),
  name: "vision",
  version,
  components: [
    { type: "model", name: "detector", version, digests: [digest(`${digit}`), digest("f")] },
    { type: "config", name: "settings", version, digests: [digest("d")] },
  ],
});
const ONE = release("1.0.0", "1");
const TWO = release("2.0.0", "2");
const told: Predictions = {
  current: TWO,
  former: [ONE],
  generation: 7,
  signed: (each) => (["9", "8", "d"].map(digest).includes(each as Digest) ? "vision 0.9.0" : undefined),
};

const runs = (of: PredictedRelease, model: Digest, more: Partial<Measurement> = {}): Measurement => ({
  ...idleMeasurement(),
  runner: "ready",
  journal: { generation: 7, phase: null, head: digest("0") },
  release: { name: of.name, version: of.version, sequence: 1, digest: of.digest as Digest },
  components: [
    { type: "model", name: "detector", version: of.version, digest: model, variant: "int8" },
    { type: "config", name: "settings", version: of.version, digest: digest("d") },
  ],
  ...more,
});

const cases: [what: string, measurement: Measurement, tier: string, code: string | null, words: RegExp][] = [
  ["what it was told", runs(TWO, digest("2")), "affirming", null, /runs vision 2\.0\.0 .* as it was told/],
  ["any variant of it", runs(TWO, digest("f")), "affirming", null, /It passes/],
  [
    "the release before, in the middle of its rollout",
    runs(ONE, digest("1"), { journal: { generation: 6, phase: null, head: digest("0") } }),
    "affirming",
    "update-under-way",
    /It passes/,
  ],
  [
    "the release before, rolled back by itself",
    runs(ONE, digest("1")),
    "affirming",
    "update-under-way",
    /It passes/,
  ],
  [
    "a component of the release before, a step down the ladder",
    runs(TWO, digest("2"), {
      components: [{ type: "model", name: "detector", version: "1.0.0", digest: digest("1") }],
    }),
    "affirming",
    "update-under-way",
    /It passes/,
  ],
  [
    "weights that nobody signed",
    runs(TWO, digest("6")),
    "contraindicated",
    "component-unknown",
    /no rollout brought it/,
  ],
  [
    "signed weights that it was never given",
    runs(TWO, digest("9")),
    "warning",
    "release-unexpected",
    /never given/,
  ],
  [
    "a signed release that it was never given",
    runs({ ...ONE, version: "0.9.0", digest: digest("8") }, digest("9")),
    "warning",
    "release-unexpected",
    /put back or changed by hand/,
  ],
  [
    "a release that nobody signed",
    runs({ ...ONE, digest: digest("7") }, digest("1")),
    "contraindicated",
    "component-unknown",
    /nobody signed/,
  ],
  [
    "nothing, while its runner starts",
    idleMeasurement({ runner: "starting" }),
    "affirming",
    null,
    /no release/,
  ],
];

for (const [what, measurement, tier, code, words] of cases)
  test(`it runs ${what}: ${tier}`, async () => {
    const plane = new Appraising();
    plane.predictions = told;
    plane.prover.measurement = measurement;
    const verdict = await plane.ask();
    assert.equal(verdict.tier, tier, verdict.sentence);
    if (code) assert.ok(codesOf(verdict).includes(code), codesOf(verdict).join());
    assert.match(verdict.sentence, words);
  });

test("causes tell a rollout, drift and an attack apart", async () => {
  const causeOf = async (measurement: Measurement) => {
    const plane = new Appraising();
    plane.predictions = told;
    plane.prover.measurement = measurement;
    return (await plane.ask()).findings
      .filter(({ code }) => !code.endsWith("agent-unlisted"))
      .map(({ cause }) => cause);
  };
  assert.deepEqual(await causeOf(runs(ONE, digest("1"))), ["rollout"]);
  assert.deepEqual(await causeOf(runs(TWO, digest("9"))), ["drift"]);
  assert.deepEqual(await causeOf(runs(TWO, digest("6"))), ["attack"]);
});

test("a wrong config spoils the claim on configuration alone", async () => {
  const plane = new Appraising();
  plane.predictions = told;
  const measured = runs(TWO, digest("2"));
  const [model, config] = measured.components;
  plane.prover.measurement = { ...measured, components: [model!, { ...config!, digest: digest("6") }] };
  const { claims } = await plane.ask();
  assert.equal(claims.configuration, "contraindicated");
  assert.equal(claims.executables, "affirming");
  assert.equal(claims.hardware, "none");
});

test("agents: unlisted, listed, unknown, impersonated, too old", async () => {
  const plane = new Appraising();
  assert.deepEqual(codesOf(await plane.ask()), ["agent-unlisted"]);
  const set = {
    schema: "muster.reference-set/1",
    name: "agents",
    sequence: 1,
    description: "agents",
    hardwareClass: "any",
    agents: [{ version: "0.1.0", digest: digest("e") }],
  } as const;
  plane.references = [{ ...set, agents: [...set.agents] }];
  assert.deepEqual(codesOf(await plane.ask()), []);
  plane.prover.measurement = idleMeasurement({ agent: { version: "0.2.0", digest: digest("5") } });
  const newer = await plane.ask();
  assert.equal(newer.tier, "warning");
  assert.deepEqual(
    newer.findings.map(({ code, cause }) => [code, cause]),
    [["attestation.agent-unknown", "drift"]],
  );
  plane.prover.measurement = idleMeasurement({ agent: { version: "0.1.0", digest: digest("5") } });
  assert.equal((await plane.ask()).findings[0]?.cause, "attack");
  plane.policy = { ...plane.policy, unknownAgent: "contraindicated" };
  assert.equal((await plane.ask()).tier, "contraindicated");
  plane.prover.measurement = idleMeasurement();
  plane.references = [{ ...set, agents: [...set.agents], minimum: { agent: "0.1.1" } }];
  assert.deepEqual(codesOf(await plane.ask()), ["agent-old"]);
});

test("the chain: repeats are nothing, forks stay, a chain begun anew is a fork of a key in software", async () => {
  const plane = new Appraising();
  const first = await plane.prover.link();
  assert.equal(plane.judge(first).place, "newest");
  assert.equal(plane.judge(first).place, "repeat");
  const clone = plane.prover.copy();
  plane.judge(await plane.prover.link());
  clone.measurement = idleMeasurement({ boot: "boot-of-the-clone" });
  const forked = plane.judge(await clone.link());
  assert.equal(forked.place, "fork");
  assert.equal(forked.verdict.tier, "contraindicated");
  assert.equal((await plane.ask()).tier, "contraindicated", "good evidence does not end it");

  const stolen = new Appraising();
  await stolen.ask();
  stolen.prover.previous = null;
  const verdict = await stolen.ask();
  assert.ok(codesOf(verdict).includes("forked"));
  assert.match(verdict.sentence, /its key runs elsewhere without it/);
});

test("a link that names another one before it is a fork, whichever of them comes first", async () => {
  const ahead = new Appraising();
  await ahead.ask();
  const clone = ahead.prover.copy();
  clone.measurement = idleMeasurement({ boot: "boot-of-the-clone" });
  const [, second] = [await clone.link(), await clone.link()];
  const mine = await ahead.prover.link();
  assert.equal(ahead.judge(second).place, "newest", "a gap as yet");
  assert.equal(ahead.judge(mine).place, "fork");
});

test("gaps are information while they may close, then as policy says, and end with the grace", async () => {
  const plane = new Appraising();
  await plane.ask();
  await plane.prover.link();
  await plane.prover.link();
  assert.equal((await plane.ask()).tier, "affirming");
  plane.now += 2 * HOUR;
  const late = await plane.ask();
  assert.equal(late.tier, "warning");
  assert.match(late.sentence, /2 links of the chain \(1 to 2\) never came/);
  plane.policy = { ...plane.policy, gaps: "information" };
  assert.equal((await plane.ask()).tier, "affirming");
  plane.policy = { ...plane.policy, gaps: "warning" };
  plane.now += 8 * DAY;
  assert.ok(!codesOf(await plane.ask()).includes("chain-gap"));
});

test("what was made offline carries a verdict on within the grace, and not beyond it", async () => {
  const plane = new Appraising();
  const fresh = await plane.ask();
  assert.equal(fresh.notAfter, plane.now + DAY);
  const freshAt = plane.now;
  plane.now += 3 * DAY;
  const made = await plane.prover.link();
  plane.now += HOUR;
  assert.equal(plane.judge(made).verdict.notAfter, freshAt + 4 * DAY);
  plane.now = freshAt + 6 * DAY + 12 * HOUR;
  assert.equal(plane.judge(await plane.prover.link()).verdict.notAfter, freshAt + 7 * DAY);
  plane.now = freshAt + 9 * DAY;
  const late = plane.judge(await plane.prover.link()).verdict;
  assert.ok(codesOf(late).includes("offline-too-long"));
  assert.ok(late.notAfter <= plane.now);
  assert.equal((await plane.ask()).notAfter, plane.now + DAY);
});

test("a clock of the device that is ahead gains nothing", async () => {
  const plane = new Appraising();
  await plane.ask();
  const start = plane.now;
  plane.prover.now = () => start + 365 * DAY;
  assert.ok(plane.judge(await plane.prover.link()).verdict.notAfter <= start + 2 * DAY);
});

test("a disk that was put back stays found after a restart of the agent, until it is cleared", async () => {
  const plane = new Appraising();
  plane.prover.measurement = idleMeasurement({ rolledBack: true });
  assert.deepEqual(codesOf(await plane.ask())[0], "disk-put-back");
  plane.prover.measurement = idleMeasurement();
  assert.equal((await plane.ask()).tier, "contraindicated");
  plane.history = { ...plane.history, putBack: "cleared" };
  assert.equal((await plane.ask()).tier, "affirming");
  assert.equal(plane.history.putBack, null);
});

test("a long backlog that comes twice is no fork, and its copy is found by its first answer", async () => {
  const plane = new Appraising();
  await plane.ask();
  const copy = plane.prover.copy();
  const links = [];
  for (let count = 0; count < 120; count += 1) links.push(await plane.prover.link());
  await plane.ask();
  for (const link of [...links, ...links]) {
    const { verdict } = plane.judge(link);
    assert.notEqual(verdict.tier, "contraindicated", verdict.sentence);
  }
  assert.equal((await plane.ask()).tier, "affirming");
  copy.index = plane.history.head!.index + 1;
  const challenge = plane.challenge();
  const { verdict } = plane.judge(await copy.link(challenge), "answer", challenge.pcrs);
  assert.ok(codesOf(verdict).includes("forked"));
});
