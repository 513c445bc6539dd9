import assert from "node:assert/strict";
import { test } from "node:test";
import { goldenEvents } from "@muster/control-plane/attestation/appraisal/log-difference";
import { EvidencePayload } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import { parseEventLog } from "@muster/shared/tpm/event-log";
import fc from "fast-check";
import { Check } from "typebox/value";
import { Appraising } from "../../support/attestation/appraising.ts";
import { MadeBox } from "../../support/attestation/made-box.ts";
import { idleMeasurement } from "../../support/attestation/prover.ts";

const PCRS = [0, 1, 2, 4, 5, 7];
const AGENT = idleMeasurement().agent.digest as Digest;

async function trusted() {
  const box = new MadeBox();
  box.measure("agent", AGENT);
  const plane = new Appraising(box);
  const indices = PCRS.filter((pcr) => !box.pcrs.get(pcr)?.equals(Buffer.alloc(32)));
  plane.policy = { ...plane.policy, pcrs: { bank: "sha256", indices } };
  const sha256 = Object.fromEntries(indices.map((pcr) => [String(pcr), box.pcrs.get(pcr)!.toString("hex")]));
  plane.references = [
    {
      schema: "muster.reference-set/1",
      name: "box",
      sequence: 1,
      description: "a box",
      hardwareClass: "any",
      firmware: [
        { name: "as it is", pcrs: { sha256 }, events: goldenEvents(parseEventLog(box.bootLog), indices) },
      ],
      agents: [{ version: "0.1.0", digest: AGENT }],
    },
  ];
  const challenge = plane.challenge();
  const evidence = await plane.prover.link(challenge);
  return { plane, evidence, challenge };
}

/** Every text in the evidence that a verdict rests on, by its path. */
function* textsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value === "string") yield path;
  else if (typeof value === "object" && value !== null)
    for (const [name, member] of Object.entries(value)) yield* textsOf(member, [...path, name]);
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce((inner, name) => (inner as Record<string, unknown>)[name], value);

test("good evidence with anything changed in measurement, quote, signature or PCRs is never affirming", async () => {
  const { plane, evidence, challenge } = await trusted();
  const start = plane.history;
  assert.equal(plane.judge(evidence, "answer", challenge.pcrs).verdict.tier, "affirming");
  const paths = [...textsOf(evidence.payload)].filter(([part, inner]) =>
    part === "measurement"
      ? true
      : part === "tpm" && ["quote", "signature", "pcrs", "akName"].includes(inner ?? ""),
  );
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.nat(), fc.integer({ min: 0, max: 7 }), (path, place, bit) => {
      const changed = structuredClone(evidence.payload);
      const holder = at(changed, path.slice(0, -1)) as Record<string, string>;
      const name = path.at(-1)!;
      const text = holder[name]!;
      const encoding = path[0] !== "tpm" ? "latin1" : /quote|signature/.test(name) ? "base64" : "hex";
      const bytes = Buffer.from(text, encoding);
      bytes[place % bytes.length]! ^= 1 << bit;
      holder[name] = bytes.toString(encoding);
      plane.history = start;
      const { verdict } = plane.judge({ ...evidence, payload: changed }, "answer", challenge.pcrs);
      assert.notEqual(verdict.tier, "affirming", path.join("."));
    }),
    { numRuns: 600 },
  );
});

/** Arbitrary values of the shape of evidence, with the good one's parts mixed in. */
const arbitraryTexts = (good: string): fc.Arbitrary<string> =>
  fc.oneof(fc.constant(good), fc.base64String({ maxLength: 400 }), fc.string({ maxLength: 60 }));

test("no evidence whatsoever makes it throw, and history stays bounded", async () => {
  const { plane, evidence, challenge } = await trusted();
  const { payload } = evidence;
  const tpm = payload.tpm!;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        index: fc.oneof(fc.nat(200), fc.maxSafeNat()),
        previous: fc.constantFrom(null, payload.chain.previous, `sha256:${"a".repeat(64)}`),
        at: fc.maxSafeNat(),
        quote: arbitraryTexts(tpm.quote),
        signature: arbitraryTexts(tpm.signature),
        log: fc.oneof(fc.constant(null), arbitraryTexts(tpm.bootLog?.gzip ?? "")),
        ima: fc.oneof(fc.constant(null), fc.base64String({ maxLength: 400 })),
        values: fc.dictionary(fc.nat(30).map(String), fc.string({ maxLength: 64 })),
        rolledBack: fc.boolean(),
        how: fc.constantFrom("answer" as const, "offline" as const, "again" as const),
        now: fc.nat(2_000_000_000_000),
      }),
      async (drawn) => {
        plane.now = drawn.now;
        const wild = {
          ...payload,
          at: drawn.at,
          chain: { index: drawn.index, previous: drawn.previous },
          measurement: { ...payload.measurement, rolledBack: drawn.rolledBack },
          tpm: {
            ...tpm,
            quote: drawn.quote,
            signature: drawn.signature,
            pcrs: { sha256: drawn.values },
            bootLog: tpm.bootLog && { ...tpm.bootLog, gzip: null },
            ima: { total: 3, from: 0, lines: 3, gzip: drawn.ima },
          },
        };
        const { verdict, history } = plane.judge({ ...evidence, payload: wild }, drawn.how, challenge.pcrs);
        assert.ok(verdict.sentence.length > 0);
        assert.ok(verdict.findings.length <= 24);
        assert.ok(history.recent.length <= 48 && history.missing.length <= 16);
        assert.deepEqual(JSON.parse(JSON.stringify(history)), history);
      },
    ),
    { numRuns: 500 },
  );
});

test("what a made box sends is of the shape of the protocol", async () => {
  const { evidence } = await trusted();
  assert.ok(Check(EvidencePayload, evidence.payload));
});
