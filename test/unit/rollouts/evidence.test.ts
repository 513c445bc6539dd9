import assert from "node:assert/strict";
import { test } from "node:test";
import { appraise } from "@muster/control-plane/rollouts/evidence";
import type { Attempt, DeviceFacts, DeviceRecord, Rollout } from "@muster/control-plane/rollouts/model";
import { completePlan } from "@muster/control-plane/rollouts/plan";
import { provesRelease } from "@muster/control-plane/rollouts/proof";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState } from "@muster/shared/protocol/state";
import { sha256 } from "@muster/shared/trust/digest";

const NOW = 10_000_000;
const TIMEOUT = 600;
const artifact = (name: string) => ({ name, digest: sha256(name), size: 1 });

const manifest: ReleaseManifest = {
  schema: "muster.release/1",
  name: "vibration",
  version: "2.0.0",
  sequence: 2,
  components: [
    {
      type: "model",
      name: "bearing",
      version: "2.0.0",
      variants: ["int8", "fp32"].map((id) => ({
        id,
        precision: "int8",
        requires: { providers: ["cpu"] },
        model: artifact(`${id}.onnx`),
        golden: artifact("golden.json"),
        reference: artifact("reference.json"),
      })),
    },
    { type: "config", name: "limits", version: "2.0.0", document: artifact("limits.json") },
  ],
  probation: {
    minSeconds: 0,
    deadlineSeconds: 1,
    minInferences: 0,
    maxErrorRate: 0,
    maxP95Ms: 1,
    maxCrashes: 0,
  },
};
const NEW = { name: "vibration", version: "2.0.0", sequence: 2, digest: sha256("new") };
const OLD = { name: "vibration", version: "1.0.0", sequence: 1, digest: sha256("old") };

const rollout: Rollout = {
  id: "r1",
  state: "running",
  reason: null,
  wave: 0,
  waveOpenedAt: 0,
  waveClockAt: 0,
  gateHeldSince: null,
  skipWave: null,
  gate: null,
  pace: null,
  wagers: null,
  seed: 1,
  startedAt: 0,
  plannedWaves: 1,
  endedAt: null,
  release: NEW,
  manifest,
  plan: completePlan({ release: { name: "vibration", version: "2.0.0" }, timeouts: { total: TIMEOUT } }),
  devices: [],
};

const told: DeviceRecord = {
  device: "d1",
  name: "box-1",
  site: "a",
  hardwareClass: "linux-x64-cpu",
  wave: 0,
  status: "told",
  previous: OLD,
  toldGeneration: 5,
  toldAt: NOW - 1000,
  phase: null,
  phaseAt: null,
  notBefore: null,
  bytes: 1,
  attempts: 1,
  returnGeneration: null,
  returnedAt: null,
  outcome: null,
  failure: null,
};

const components: ReportedState["components"] = [
  {
    type: "model",
    name: "bearing",
    version: "2.0.0",
    digest: sha256("int8.onnx"),
    variant: "int8",
    provider: "cpu",
  },
  { type: "config", name: "limits", version: "2.0.0", digest: sha256("limits.json") },
];

const onOld: ReportedState = {
  generation: 4,
  running: OLD,
  components: [],
  runner: "ready",
  update: null,
  lastResult: null,
  refused: null,
};
const onNew: ReportedState = { ...onOld, generation: 5, running: NEW, components };

const facts = (given: Partial<DeviceFacts> = {}): DeviceFacts => ({
  active: true,
  online: true,
  owner: "r1",
  desired: NEW,
  reported: onOld,
  attempts: [],
  ...given,
});

const attempt = (outcome: string | null, more: Partial<Attempt> = {}): Attempt => ({
  generation: 5,
  digest: NEW.digest,
  outcome,
  failure: outcome?.startsWith("failed") ? { code: "model.golden-mismatch", message: "No." } : null,
  ...more,
});

const proofs: [string, ReportedState | null, boolean][] = [
  ["the release with all its components", onNew, true],
  ["nothing reported yet", null, false],
  ["another release", onOld, false],
  ["a runner that is starting", { ...onNew, runner: "starting" }, false],
  ["a component that is missing", { ...onNew, components: components.slice(1) }, false],
  ["a component too many", { ...onNew, components: [...components, ...components.slice(1)] }, false],
  [
    "the digest of another variant",
    { ...onNew, components: [{ ...components[0]!, digest: sha256("fp32.onnx") }, components[1]!] },
    false,
  ],
  [
    "another variant of the manifest",
    {
      ...onNew,
      components: [{ ...components[0]!, digest: sha256("fp32.onnx"), variant: "fp32" }, components[1]!],
    },
    true,
  ],
  [
    "the right component as what it fell back to",
    {
      ...onNew,
      components: [
        { ...components[0]!, degraded: { step: "provider", reason: "cuda crashed" } },
        components[1]!,
      ],
    },
    false,
  ],
  [
    "another document",
    { ...onNew, components: [components[0]!, { ...components[1]!, digest: sha256("else") }] },
    false,
  ],
  [
    "another version of a component",
    { ...onNew, components: [components[0]!, { ...components[1]!, version: "1.0.0" }] },
    false,
  ],
];

for (const [what, reported, expected] of proofs)
  test(`${what} ${expected ? "proves" : "does not prove"} the release`, () => {
    assert.equal(provesRelease(manifest, NEW.digest, reported), expected);
  });

test("a release without models is proven while the runner idles", () => {
  const configOnly = { ...manifest, components: manifest.components.slice(1) };
  const reported: ReportedState = { ...onNew, runner: "idle", components: components.slice(1) };
  assert.equal(provesRelease(configOnly, NEW.digest, reported), true);
});

const succeeded: DeviceRecord = { ...told, status: "succeeded", outcome: "succeeded" };
const timedOut: DeviceRecord = { ...told, status: "failed", outcome: "timed-out" };
const returning: DeviceRecord = { ...told, status: "returning", returnGeneration: 6, returnedAt: NOW };
const back: ReportedState = { ...onOld, generation: 6 };
const underWay = { generation: 6, release: OLD, phase: "probation" as const, since: NOW };
const refused = (generation: number): ReportedState["refused"] => ({
  generation,
  failure: { code: "directive.expired", message: "Too late." },
  at: NOW,
});
const LATE = { toldAt: NOW - TIMEOUT * 1000 };

const table: [string, DeviceRecord, DeviceFacts, DeviceRecord["status"], string | null][] = [
  ["told, nothing heard", told, facts(), "told", null],
  [
    "succeeded and proven",
    told,
    facts({ reported: onNew, attempts: [attempt("succeeded")] }),
    "succeeded",
    "succeeded",
  ],
  ["succeeded by its word alone", told, facts({ attempts: [attempt("succeeded")] }), "told", null],
  ["proven and not yet committed", told, facts({ reported: onNew, attempts: [attempt(null)] }), "told", null],
  [
    "succeeded under a renewed directive",
    told,
    facts({ reported: onNew, attempts: [attempt("superseded"), attempt("succeeded", { generation: 7 })] }),
    "succeeded",
    "succeeded",
  ],
  [
    "an end of an older directive",
    told,
    facts({ attempts: [attempt("failed-unchanged", { generation: 4 })] }),
    "told",
    null,
  ],
  [
    "an end of another release",
    told,
    facts({ attempts: [attempt("failed-unchanged", { digest: OLD.digest })] }),
    "told",
    null,
  ],
  ["rolled back", told, facts({ attempts: [attempt("failed-rolled-back")] }), "failed", "failed-rolled-back"],
  ["stuck", told, facts({ attempts: [attempt("failed-stuck")] }), "failed", "failed-stuck"],
  ["superseded is no end", told, facts({ attempts: [attempt("superseded")] }), "told", null],
  ["refused", told, facts({ reported: { ...onOld, refused: refused(5) } }), "failed", "rejected"],
  ["refused an older directive", told, facts({ reported: { ...onOld, refused: refused(4) } }), "told", null],
  ["silent for too long", { ...told, ...LATE }, facts({ online: false }), "failed", "timed-out"],
  ["at work for too long", { ...told, ...LATE }, facts(), "failed", "timed-out"],
  [
    "timed out, then succeeded",
    timedOut,
    facts({ reported: onNew, attempts: [attempt("succeeded")] }),
    "succeeded",
    "succeeded",
  ],
  [
    "timed out, then failed",
    timedOut,
    facts({ attempts: [attempt("failed-stuck")] }),
    "failed",
    "failed-stuck",
  ],
  ["revoked before its end", told, facts({ active: false }), "released", "canceled"],
  ["revoked after its end", succeeded, facts({ active: false, reported: onNew }), "succeeded", "succeeded"],
  ["taken over by another rollout", told, facts({ owner: "r2" }), "superseded", "superseded"],
  [
    "ran the release before it was told",
    { ...told, previous: NEW },
    facts({ reported: onNew }),
    "succeeded",
    "succeeded",
  ],
  [
    "ran the release before, directive not seen yet",
    { ...told, previous: NEW },
    facts({ reported: { ...onNew, generation: 4 } }),
    "told",
    null,
  ],
  [
    "succeeded, runner restarts",
    succeeded,
    facts({ reported: { ...onNew, runner: "starting" } }),
    "succeeded",
    "succeeded",
  ],
  [
    "succeeded, runner broke",
    succeeded,
    facts({ reported: { ...onNew, runner: "failed" } }),
    "failed",
    "unproven",
  ],
  [
    "succeeded, runs something else",
    succeeded,
    facts({ reported: { ...onOld, generation: 5 } }),
    "failed",
    "unproven",
  ],
  ["waiting and revoked", { ...told, status: "waiting" }, facts({ active: false }), "released", "canceled"],
  ["going back", returning, facts({ reported: onNew }), "returning", null],
  ["back", returning, facts({ reported: back }), "returned", null],
  ["back by an older report", returning, facts({ reported: onOld }), "returning", null],
  ["back on probation", returning, facts({ reported: { ...back, update: underWay } }), "returning", null],
  [
    "could not go back",
    returning,
    facts({ attempts: [attempt("failed-stuck", { generation: 6, digest: OLD.digest })] }),
    "return-failed",
    null,
  ],
  [
    "refused to go back",
    returning,
    facts({ reported: { ...onNew, refused: refused(6) } }),
    "return-failed",
    null,
  ],
  ["back after all", { ...returning, status: "return-failed" }, facts({ reported: back }), "returned", null],
  ["revoked on its way back", returning, facts({ active: false }), "released", null],
];

for (const [what, record, known, status, outcome] of table)
  test(`${what}: ${status}`, () => {
    const next = appraise(rollout, record, known, NOW);
    assert.deepEqual([next.status, next.outcome], [status, outcome]);
    assert.deepEqual(appraise(rollout, next, known, NOW), next, "seen again, it is the same");
  });

const phased = (phase: "fetching" | "activating" | "probation", since: number): ReportedState => ({
  ...onOld,
  generation: 5,
  update: { generation: 5, release: NEW, phase, since },
});
const limited: Rollout = {
  ...rollout,
  plan: { ...rollout.plan, timeouts: { total: TIMEOUT, pickup: 60, fetching: 120, probation: 300 } },
};

test("each phase has its own limit, by the clock of the control plane", () => {
  const { status, failure } = appraise(limited, told, facts(), NOW + 60_000);
  assert.deepEqual([status, failure?.message], ["failed", "It did not take the directive up after 60 s."]);
  // A device whose clock is years off is measured by when it was heard.
  const fetching = appraise(limited, told, facts({ reported: phased("fetching", 12) }), NOW);
  assert.deepEqual([fetching.status, fetching.phase, fetching.phaseAt], ["told", "fetching", NOW]);
  const late = facts({ reported: phased("fetching", 12) });
  assert.equal(appraise(limited, fetching, late, NOW + 119_999).status, "told");
  const failed = appraise(limited, fetching, late, NOW + 120_000);
  assert.deepEqual([failed.status, failed.outcome], ["failed", "timed-out"]);
  assert.match(failed.failure?.message ?? "", /still downloading after 120 s/);
  const activating = appraise(
    limited,
    fetching,
    facts({ reported: phased("activating", 12) }),
    NOW + 100_000,
  );
  assert.equal(activating.phaseAt, NOW + 100_000, "the next phase has its own time");
});

const patient: Rollout = {
  ...rollout,
  plan: { ...rollout.plan, retries: { max: 2, baseSeconds: 100, maxSeconds: 150 } },
};
const failedWith = (code: string) =>
  facts({ attempts: [attempt("failed-unchanged", { failure: { code, message: "no" } })] });

test("a failure that time may mend is tried again, later each time, and no more often than planned", () => {
  const delays = [1, 2].map((attempts) => {
    const next = appraise(patient, { ...told, attempts }, failedWith("request.unreachable"), NOW);
    assert.equal(next.status, "retrying");
    assert.equal(next.failure?.code, "request.unreachable");
    return ((next.notBefore ?? 0) - NOW) / 1000;
  });
  assert.ok(delays[0] !== undefined && delays[0] >= 100 && delays[0] <= 125, `${delays[0]}`);
  assert.ok(delays[1] !== undefined && delays[1] >= 150 && delays[1] <= 187.5, `${delays[1]}`);
  const given = appraise(patient, { ...told, attempts: 3 }, failedWith("request.unreachable"), NOW);
  assert.equal(given.status, "failed");
});

test("what the device refused or time cannot mend is not tried again", () => {
  assert.equal(appraise(patient, told, failedWith("model.golden-mismatch"), NOW).status, "failed");
  assert.equal(
    appraise(patient, told, facts({ reported: { ...onOld, refused: refused(5) } }), NOW).status,
    "failed",
  );
});

test("a device that waits for its retry and proves the release has succeeded", () => {
  const retrying = appraise(patient, { ...told, ...LATE }, facts(), NOW);
  assert.deepEqual([retrying.status, retrying.outcome], ["retrying", "timed-out"]);
  const proof = facts({ reported: onNew, attempts: [attempt("succeeded")] });
  const next = appraise(patient, retrying, proof, NOW + 1);
  assert.deepEqual([next.status, next.notBefore], ["succeeded", null]);
});

test("a device that got there before it was told again has succeeded, though it had nothing more to do", () => {
  const again: DeviceRecord = { ...told, attempts: 2, toldGeneration: 7 };
  const former = [attempt("succeeded")];
  const before = facts({ reported: onNew, attempts: former });
  assert.equal(appraise(patient, again, before, NOW).status, "told", "it has not taken the retry up");
  const state = { ...onNew, generation: 7 };
  assert.equal(
    appraise(patient, again, facts({ reported: state, attempts: former }), NOW).status,
    "succeeded",
  );
  const probation = { ...state, ...{ update: { ...phased("probation", 7).update!, generation: 7 } } };
  const busy = facts({ reported: probation, attempts: former });
  assert.equal(appraise(patient, again, busy, NOW).status, "told", "probation is no success");
});
