import { type Static, Type } from "typebox";
import { canonicalJson } from "../trust/canonical-json.ts";
import { sha256 } from "../trust/digest.ts";
import type { SigningKey } from "../trust/ed25519.ts";
import {
  isSignedBy,
  type Signed,
  SignedDocument,
  signDocument,
  type TrustedKeys,
} from "../trust/signed-document.ts";
import {
  Count,
  DeviceId,
  Digest,
  Id,
  Millis,
  Name,
  Nullable,
  PROTOCOL_VERSION,
  ReleaseRef,
  Version,
} from "./primitives.ts";
import { ReportedState, UpdatePhase } from "./state.ts";

const DOMAIN = "muster/evidence/v1";
const closed = { additionalProperties: false };

/** 32 random bytes, hex: good for one answer. */
const Nonce = Type.String({ pattern: "^[0-9a-f]{64}$" });
/** Base64 of at most so many bytes. */
const Bytes = (most: number) =>
  Type.String({ maxLength: Math.ceil(most / 3) * 4, pattern: "^[A-Za-z0-9+/]*={0,2}$" });
const PcrIndex = Type.Integer({ minimum: 0, maximum: 23 });

/**
 * Most bytes of a boot log or of one slice of the IMA list in one message, compressed with gzip: both fit into one
 * message beside everything else at its largest.
 */
export const MOST_LOG_BYTES = 64 * 1024;
/** Most bytes that either of them has when it is unpacked: a reader may stop there. */
export const MOST_UNPACKED_BYTES = 1024 * 1024;
/** Extensions of the agent's own PCR that one piece of evidence lists. */
export const MOST_EXTENSIONS = 64;

/** What the agent measured of itself and of what it runs: the digests that a verdict is about. */
export const Measurement = Type.Object(
  {
    /** Id of this boot of the machine. */
    boot: Id,
    agent: Type.Object({ version: Version, digest: Digest }, closed),
    /** Where the update journal stands; `head` is the digest of its newest entry. */
    journal: Type.Object({ generation: Count, phase: Nullable(UpdatePhase), head: Digest }, closed),
    release: Nullable(ReleaseRef),
    /** A runner that starts has proven nothing yet: `release` is null and `components` is empty until it is ready. */
    runner: ReportedState.properties.runner,
    /** What runs, and where: each as the runner proved it. */
    components: Type.Array(
      Type.Object(
        {
          type: Type.Union([Type.Literal("model"), Type.Literal("config")]),
          name: Name,
          version: Version,
          digest: Digest,
          variant: Type.Optional(Name),
          provider: Type.Optional(Name),
        },
        closed,
      ),
      { maxItems: 64 },
    ),
    /** True where the state of the device is older than its hardware counter says: its disk was put back. */
    rolledBack: Type.Boolean(),
  },
  closed,
);
export type Measurement = Static<typeof Measurement>;

/**
 * One extension of the agent's own PCR since it was last reset: replaying `extensionDigestOf` of all of them gives its
 * value. `agent` is the digest of the agent's code, once for each start of it; `release` that of a release, once for
 * each change, and `NO_RELEASE` where the device was told to run nothing.
 */
export const MeasuredExtension = Type.Object(
  { at: Millis, what: Type.Union([Type.Literal("agent"), Type.Literal("release")]), digest: Digest },
  closed,
);
export type MeasuredExtension = Static<typeof MeasuredExtension>;

/** Hex values by index. */
const PcrValues = Type.Record(
  Type.String({ pattern: "^([0-9]|1[0-9]|2[0-3])$" }),
  Type.String({ pattern: "^([0-9a-f]{2}){20,64}$" }),
  closed,
);

export const TpmEvidence = Type.Object(
  {
    /** Name of the attestation key (TPM 2.0 part 1, 16): algorithm and digest, hex. */
    akName: Type.String({ pattern: "^[0-9a-f]{4,132}$" }),
    /** TPMS_ATTEST as signed, and TPMT_SIGNATURE. Its qualifying data is `qualifyingDataOf` this payload. */
    quote: Bytes(2048),
    signature: Bytes(1024),
    /** Values of the quoted PCRs by bank and index, hex. Only the signed selection and digest count. */
    pcrs: Type.Object(
      { sha256: Type.Optional(PcrValues), sha384: Type.Optional(PcrValues), sha1: Type.Optional(PcrValues) },
      closed,
    ),
    /**
     * The agent's own PCR and how it came about; null where none is set aside for it. Of a long list only the newest
     * are told: `dropped` came before them, and made `base` of the zeros that the PCR began with (hex, in
     * the quoted bank; longer banks than SHA-256 take each digest with zeros behind it).
     */
    own: Nullable(
      Type.Object(
        {
          pcr: PcrIndex,
          base: Type.String({ pattern: "^([0-9a-f]{64}|[0-9a-f]{96})$" }),
          extensions: Type.Array(MeasuredExtension, { maxItems: MOST_EXTENSIONS }),
          dropped: Count,
        },
        closed,
      ),
    ),
    /**
     * UEFI event log of this boot. `gzip` is null where the challenge has it already, where no challenge asked, and
     * where it is `oversized`. Null where the box has none.
     */
    bootLog: Nullable(
      Type.Object(
        {
          digest: Digest,
          bytes: Count,
          gzip: Nullable(Bytes(MOST_LOG_BYTES)),
          /** It is larger than what may be sent: only its digest is known. */
          oversized: Type.Boolean(),
        },
        closed,
      ),
    ),
    /**
     * A slice of the ASCII list of IMA: lines `from` until `from + lines` of `total`, each with its line feed. The list
     * was read after the quote: it may be ahead of the quoted PCR 10, never behind. A challenge whose `have.ima` is
     * `from + lines` gets the next slice; one that is beyond `total` is of another boot and gets the first. An offline
     * link carries none (`gzip` null, `lines` 0). Null where the box has no list.
     */
    ima: Nullable(
      Type.Object({ total: Count, from: Count, lines: Count, gzip: Nullable(Bytes(MOST_LOG_BYTES)) }, closed),
    ),
  },
  closed,
);
export type TpmEvidence = Static<typeof TpmEvidence>;

/**
 * What a device signs about itself. Every one is a link of the device's chain, whether it answers a challenge (`nonce`)
 * or was made by itself while nobody could ask (`nonce: null`, in an outbox record of kind `evidence`). Two links with
 * one index and two contents show two holders of one key.
 *
 * A link is stored before it is sent, and the same link is sent again rather than another one made for its index: a link
 * may come twice, and one that answers an earlier challenge may come before the answer to this one. Both routes bring
 * links: by the time a link of the outbox comes, newer ones may have come as answers. `previous: null` begins a chain:
 * index 0 for a new device, a higher one where a device had lost its chain and was told the index in `have.chain`.
 */
export const EvidencePayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    device: DeviceId,
    nonce: Nullable(Nonce),
    /** Session of the challenge; null for one that answers none. */
    session: Nullable(Id),
    at: Millis,
    chain: Type.Object({ index: Count, previous: Nullable(Digest) }, closed),
    measurement: Measurement,
    tpm: Nullable(TpmEvidence),
  },
  closed,
);
export type EvidencePayload = Static<typeof EvidencePayload>;

export const Evidence = SignedDocument(EvidencePayload);
export type Evidence = Signed<EvidencePayload>;

/** Message on `up/evidence`. */
export const EvidenceMessage = Type.Object({ v: Type.Literal(PROTOCOL_VERSION), evidence: Evidence }, closed);
export type EvidenceMessage = Static<typeof EvidenceMessage>;

/** Message on `down/challenge`: answer with evidence over this nonce. */
export const Challenge = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    session: Id,
    nonce: Nonce,
    notAfter: Millis,
    /** What a TPM is to quote. */
    pcrs: Type.Object(
      {
        bank: Type.Union([Type.Literal("sha256"), Type.Literal("sha384")]),
        indices: Type.Array(PcrIndex, { minItems: 1, maxItems: 24, uniqueItems: true }),
      },
      closed,
    ),
    /** What the control plane has already and need not be sent again. */
    have: Type.Object(
      {
        /** Boot log that it knows. */
        bootLog: Nullable(Digest),
        /** Lines of the IMA list of the device's newest known boot. */
        ima: Count,
        /**
         * Index of the newest link that it stored. The device sends those after it again, as far as it still has them,
         * and never makes one with this index or an earlier one. Its digest is not told: only a holder of the chain
         * can name it as `previous`.
         */
        chain: Nullable(Count),
      },
      closed,
    ),
  },
  closed,
);
export type Challenge = Static<typeof Challenge>;

export const signEvidence = (payload: EvidencePayload, key: SigningKey): Evidence =>
  signDocument(DOMAIN, payload, key);

export const isEvidenceBy = (evidence: Evidence, keys: TrustedKeys): boolean =>
  isSignedBy(DOMAIN, evidence, keys);

/** Digest that stands for running no release at all, in the agent's own PCR. */
export const NO_RELEASE: Digest = sha256("muster/no-release/v1");

/** What an extension adds to the agent's own PCR (SHA-256 bank): its kind is part of it. */
export const extensionDigestOf = ({ what, digest }: Pick<MeasuredExtension, "what" | "digest">): Buffer =>
  Buffer.from(sha256(`muster/measured/v1\n${what}\n${digest}`).slice("sha256:".length), "hex");

/** Digest of a link: what the next one names as `previous`. */
export const linkDigestOf = (payload: EvidencePayload): Digest => sha256(canonicalJson(payload));

/**
 * What the TPM signs besides its PCRs: SHA-256 of everything else in the payload, so that neither measurement nor
 * nonce, session or place in the chain can be put beside another quote.
 */
export function qualifyingDataOf({ tpm: _, ...rest }: EvidencePayload): Uint8Array {
  return Buffer.from(sha256(`${DOMAIN}/quote\n${canonicalJson(rest)}`).slice("sha256:".length), "hex");
}
