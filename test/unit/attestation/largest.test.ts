import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRecord } from "@muster/agent/outbox/records";
import {
  Evidence,
  EvidenceMessage,
  type EvidencePayload,
  MOST_EXTENSIONS,
  MOST_LOG_BYTES,
  signEvidence,
} from "@muster/shared/protocol/evidence";
import { validate } from "@muster/shared/protocol/validate";
import { decodeMessage, encodeMessage } from "@muster/shared/protocol/wire";
import { sha256 } from "@muster/shared/trust/digest";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const NAME = "n".repeat(63);
const VERSION = "v".repeat(64);
const ID = "i".repeat(64);
const MOST = Number.MAX_SAFE_INTEGER;
const AT = 8_640_000_000_000_000;
const DIGEST = sha256("x");
const base64 = (bytes: number): string => Buffer.alloc(bytes, 0xfb).toString("base64");
const values = (bytes: number) =>
  Object.fromEntries(Array.from({ length: 24 }, (_, index) => [index, "ff".repeat(bytes)]));

/** Evidence that has the most of everything. */
function largest({ components, quote, signature }: Record<string, number>): EvidencePayload {
  const component = {
    type: "config",
    name: NAME,
    version: VERSION,
    digest: DIGEST,
    variant: NAME,
    provider: NAME,
  };
  return {
    v: 1,
    device: `d${"a".repeat(20)}`,
    nonce: "f".repeat(64),
    session: ID,
    at: AT,
    chain: { index: MOST, previous: DIGEST },
    measurement: {
      boot: ID,
      agent: { version: VERSION, digest: DIGEST },
      journal: { generation: MOST, phase: "rolling-back", head: DIGEST },
      release: { name: NAME, version: VERSION, sequence: MOST, digest: DIGEST },
      runner: "starting",
      components: Array.from({ length: components ?? 0 }, () => component as never),
      rolledBack: false,
    },
    tpm: {
      akName: "f".repeat(132),
      quote: base64(quote ?? 0),
      signature: base64(signature ?? 0),
      pcrs: { sha384: values(48) },
      own: {
        pcr: 23,
        base: "f".repeat(96),
        extensions: Array.from(
          { length: MOST_EXTENSIONS },
          () => ({ at: AT, what: "release", digest: DIGEST }) as const,
        ),
        dropped: MOST,
      },
      bootLog: { digest: DIGEST, bytes: MOST, gzip: null, oversized: false },
      ima: { total: MOST, from: MOST, lines: MOST, gzip: null },
    },
  };
}

const signed = (payload: EvidencePayload): Evidence => {
  const evidence = signEvidence(payload, signingKeyFrom(Buffer.alloc(32, 3)));
  return validate(Evidence, evidence, "wire.malformed") as Evidence;
};

test("the largest answer to a challenge fits into one message", () => {
  const payload = largest({ components: 64, quote: 2048, signature: 1024 });
  const tpm = payload.tpm!;
  tpm.pcrs = { sha384: values(64), sha256: values(64), sha1: values(64) };
  tpm.bootLog!.gzip = base64(MOST_LOG_BYTES);
  tpm.ima!.gzip = base64(MOST_LOG_BYTES);
  const message = encodeMessage(EvidenceMessage, { v: 1, evidence: signed(payload) });
  decodeMessage(EvidenceMessage, Buffer.from(message));
});

test("the largest link of a real release and a real TPM fits into the outbox", () => {
  // A release has 32 components; a quote of all PCRs by RSA 2048 has less than this.
  const body = signed(largest({ components: 32, quote: 256, signature: 264 }));
  assert.equal(encodeRecord({ kind: "evidence", at: AT, body }).kind, "evidence");
});
