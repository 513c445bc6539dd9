import { type Static, Type } from "typebox";
import type { SigningKey } from "../trust/ed25519.ts";
import { isSignedBy, type Signed, SignedDocument, signDocument } from "../trust/signed-document.ts";
import { Histogram } from "./model-evidence.ts";
import { Count, DeviceId, Id, Millis, Name, Nullable, PROTOCOL_VERSION, ReleaseRef } from "./primitives.ts";
import { ShadowRule } from "./shadow-rule.ts";

const DOMAIN = "muster/shadow-report/v1";
const closed = { additionalProperties: false };

/**
 * How a shadow ended. `agreed`: enough was compared and enough agreed. `disagreed`: too much did not. `inconclusive`:
 * too little was compared. `failed`: the candidate ended by itself, or the box had no room for it.
 */
const SHADOW_VERDICTS = ["agreed", "disagreed", "inconclusive", "failed"] as const;
export type ShadowVerdict = (typeof SHADOW_VERDICTS)[number];

const Both = Type.Object({ live: Histogram, candidate: Histogram }, closed);

/** What two releases said to the same inputs of one model. An inference is one row of a request. */
export const ShadowModel = Type.Object(
  {
    model: Name,
    compared: Count,
    agreed: Count,
    /** Compared inferences that the candidate could not compute; they count as not agreed. */
    failed: Count,
    /** Sampled requests that were not compared. */
    dropped: Type.Object(
      {
        /** The candidate was at work on another one. */
        busy: Count,
        /** Its processor time was used up. */
        budget: Count,
        /** The input was larger than what may be copied. */
        size: Count,
      },
      closed,
    ),
    /** Processor time of the candidate, milliseconds. */
    cpuMs: Count,
    /** Inference time of the compared inferences in milliseconds; edges are `LATENCY_EDGES_MS`. */
    latency: Both,
    /** Highest score of the compared inferences; edges are `CONFIDENCE_EDGES`. */
    confidence: Both,
    /** Stability index between the two confidences, and what chance alone would reach in one of a hundred shadows. */
    psi: Nullable(Type.Object({ value: Type.Number(), chance: Type.Number() }, closed)),
  },
  closed,
);
export type ShadowModel = Static<typeof ShadowModel>;

/** Models of one report; what more a release has is left out, and the reason says so. */
export const MOST_SHADOW_MODELS = 12;

/** What a device found out about a candidate release beside the live one, in its own words and numbers. */
export const ShadowReportPayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    device: DeviceId,
    /** Of the directive. */
    generation: Count,
    rollout: Nullable(Id),
    live: ReleaseRef,
    candidate: ReleaseRef,
    rule: ShadowRule,
    from: Millis,
    to: Millis,
    verdict: Type.Enum(SHADOW_VERDICTS),
    /** Plain sentence. */
    reason: Type.String({ maxLength: 1000 }),
    models: Type.Array(ShadowModel, { maxItems: MOST_SHADOW_MODELS }),
  },
  closed,
);
export type ShadowReportPayload = Static<typeof ShadowReportPayload>;

export const ShadowReport = SignedDocument(ShadowReportPayload);
export type ShadowReport = Signed<ShadowReportPayload>;

export const signShadowReport = (payload: ShadowReportPayload, key: SigningKey): ShadowReport =>
  signDocument(DOMAIN, payload, key);

/** True when the key with this raw public half, hex, signed exactly this report. */
export const isShadowReportBy = (publicKey: string, report: ShadowReport): boolean =>
  isSignedBy(DOMAIN, report, { [report.keyId]: publicKey });
