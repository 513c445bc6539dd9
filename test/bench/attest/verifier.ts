import { constants, createHash, type KeyObject, verify } from "node:crypto";
import { appraise } from "@muster/control-plane/attestation/appraisal/appraise";
import { newHistory } from "@muster/control-plane/attestation/appraisal/history";
import type { AppraisalInput } from "@muster/control-plane/attestation/appraisal/input";
import { DEFAULT_POLICY } from "@muster/control-plane/attestation/policy/policy";
import type { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import {
  EvidenceMessage,
  isEvidenceBy,
  qualifyingDataOf,
  type TpmEvidence,
} from "@muster/shared/protocol/evidence";
import { decodeMessage, encodeMessage } from "@muster/shared/protocol/wire";
import { parsePublic, toKeyObject } from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { parseSignature } from "@muster/shared/tpm/signature";
import { MadeBox } from "../../support/attestation/made-box.ts";
import { idleMeasurement, Prover } from "../../support/attestation/prover.ts";
import { type Figure, figure } from "../figures.ts";

const NOW = 1_800_000_000_000;
/** A quote alone costs at most twice what its signature costs. */
const AIM = 0.5;
const BOXES = 16;
const LINKS = 8;
const KINDS = { rsa: "RSA 2048", ecc: "P-256" } as const;
type Kind = keyof typeof KINDS;

/** One answer to a challenge with everything that is known when it comes in. */
interface Answer {
  readonly message: Buffer;
  readonly keys: Record<string, string>;
  readonly facts: Omit<AppraisalInput, "payload">;
  /** The signature of the quote and its key as node:crypto has them. */
  readonly bare: { key: KeyObject; quote: Buffer; signature: Buffer };
  readonly quote: { tpm: TpmEvidence; nonce: Uint8Array };
}

const digest = `sha256:${"e".repeat(64)}` as const;

function referencesOf(box: MadeBox): ReferenceSet[] {
  const values = DEFAULT_POLICY.pcrs.indices.map((pcr) => [pcr, box.pcrs.get(pcr)?.toString("hex")]);
  return [
    {
      ...{ schema: "muster.reference-set/1", name: "bench", sequence: 1, description: "bench" },
      hardwareClass: "any",
      firmware: [{ name: "golden", pcrs: { sha256: Object.fromEntries(values) } }],
      agents: [{ version: idleMeasurement().agent.version, digest }],
    },
  ];
}

/** The answers of one box to so many challenges in a row, and that each of them passes. */
async function answersOf(kind: Kind, number: number): Promise<Answer[]> {
  const box = new MadeBox({}, kind);
  box.measure("agent", digest);
  const device = `d${"abcdefghijklmnop"[number % BOXES]}${"a".repeat(19)}`;
  const prover = new Prover(device, box.quoting);
  prover.now = () => NOW;
  const key = toKeyObject(box.key.area);
  const keys = { [prover.key.keyId]: prover.key.publicKey };
  let history = newHistory(prover.key.publicKey);
  const answers: Answer[] = [];
  for (let link = 0; link < LINKS; link++) {
    const have = {
      bootLog: createHash("sha256").update(box.bootLog).digest("hex"),
      ima: 0,
      chain: history.head?.index ?? null,
    };
    const evidence = await prover.link({
      ...{ v: 1, session: "session-0001", nonce: "ab".repeat(32), notAfter: NOW + 60_000 },
      pcrs: { bank: "sha256", indices: [...DEFAULT_POLICY.pcrs.indices] },
      have: { ...have, bootLog: `sha256:${have.bootLog}` },
    });
    const { tpm, ...rest } = evidence.payload;
    if (!tpm) throw new Error("no quote");
    const facts: Answer["facts"] = {
      device: {
        ...{ id: device, signingKey: prover.key.publicKey, assurance: "tpm-pinned" },
        ...{ akName: box.akName, akPublic: box.akPublic },
      },
      ...{ how: "answer", asked: DEFAULT_POLICY.pcrs, references: referencesOf(box) },
      predictions: { current: null, former: [], generation: 0, signed: () => undefined },
      ...{ policy: DEFAULT_POLICY, history, bootLog: box.bootLog, now: NOW },
    };
    const quote = Buffer.from(tpm.quote, "base64");
    answers.push({
      message: Buffer.from(encodeMessage(EvidenceMessage, { v: 1, evidence })),
      ...{ keys, facts },
      bare: { key, quote, signature: flat(Buffer.from(tpm.signature, "base64")) },
      quote: { tpm, nonce: qualifyingDataOf({ ...rest, tpm }) },
    });
    const { verdict, history: next } = appraise({ ...facts, payload: evidence.payload });
    if (verdict.tier !== "affirming") throw new Error(`not affirming: ${verdict.sentence}`);
    history = next;
  }
  return answers;
}

function flat(bytes: Buffer): Buffer {
  const signature = parseSignature(bytes);
  if (signature.algorithm !== "ecdsa") return signature.signature;
  const padded = (number: Buffer) => Buffer.concat([Buffer.alloc(32 - number.length), number]);
  return Buffer.concat([padded(signature.r), padded(signature.s)]);
}

const bareCheck = ({ bare: { key, quote, signature } }: Answer): boolean =>
  verify(
    "sha256",
    quote,
    { key, padding: constants.RSA_PKCS1_PADDING, dsaEncoding: "ieee-p1363" },
    signature,
  );

/** Parse, signature, nonce and PCR policy, from the form in which quote and key are sent and stored. */
function quoteAlone({ quote: { tpm, nonce }, facts: { device, asked } }: Answer): boolean {
  const values = Object.entries(tpm.pcrs.sha256 ?? {}).map(([pcr, hex]) => [pcr, Buffer.from(hex, "hex")]);
  const { pcrs } = verifyQuote({
    ak: parsePublic(Buffer.from(device.akPublic ?? "", "base64")),
    quote: Buffer.from(tpm.quote, "base64"),
    signature: Buffer.from(tpm.signature, "base64"),
    nonce,
    pcrs: { sha256: Object.fromEntries(values) },
    required: asked,
  });
  return pcrs.sha256?.[0] !== undefined;
}

/** From the bytes of the message to the verdict, with boot log and reference set. */
function endToEnd({ message, keys, facts }: Answer): boolean {
  const { evidence } = decodeMessage(EvidenceMessage, message);
  return (
    isEvidenceBy(evidence, keys) &&
    appraise({ ...facts, payload: evidence.payload }).verdict.tier === "affirming"
  );
}

const WORKS = { bareCheck, quoteAlone, endToEnd };

/** How often each work is done in a second of processor time, in turns, so that a busy moment meets all. */
function rates(
  answers: readonly Answer[],
  rounds: number,
  sliceMs: number,
): Record<keyof typeof WORKS, number> {
  const done = { bareCheck: 0, quoteAlone: 0, endToEnd: 0 };
  const spent = { ...done };
  for (let round = 0; round <= rounds; round++)
    for (const [name, work] of Object.entries(WORKS) as [keyof typeof WORKS, (answer: Answer) => boolean][]) {
      const before = process.cpuUsage();
      const started = performance.now();
      let count = 0;
      for (; performance.now() - started < sliceMs; count++)
        if (!work(answers[count % answers.length] as Answer)) throw new Error(`${name} failed`);
      // The first round warms up.
      if (round === 0) continue;
      done[name] += count;
      const { user, system } = process.cpuUsage(before);
      spent[name] += user + system;
    }
  const rate = (name: keyof typeof WORKS) => (done[name] * 1e6) / spent[name];
  return { bareCheck: rate("bareCheck"), quoteAlone: rate("quoteAlone"), endToEnd: rate("endToEnd") };
}

/** Quotes appraised in a second on one core, against the bare check of their signatures. */
export async function verifierFigures(isQuick: boolean): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, name] of Object.entries(KINDS) as [Kind, string][]) {
    const answers = (
      await Promise.all(Array.from({ length: BOXES }, (_, number) => answersOf(kind, number)))
    ).flat();
    const { bareCheck, quoteAlone, endToEnd } = rates(answers, isQuick ? 3 : 20, 300);
    figures.push(
      figure(
        `quotes alone over bare signature checks, ${name}`,
        quoteAlone / bareCheck,
        "ratio",
        "higher",
        AIM,
      ),
      figure(
        `evidence end to end over bare signature checks, ${name}`,
        endToEnd / bareCheck,
        "ratio",
        "higher",
      ),
      figure(`evidence end to end, ${name}`, endToEnd, "a second and core", "higher"),
      figure(`quotes alone, ${name}`, quoteAlone, "a second and core", "higher"),
      figure(`bare signature checks, ${name}`, bareCheck, "a second and core", "higher"),
    );
  }
  return figures;
}
