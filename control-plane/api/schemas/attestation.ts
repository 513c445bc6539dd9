import { Measurement } from "@muster/shared/protocol/evidence";
import { Count, DeviceId, Millis, Name, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { PolicyChange, PolicyContent } from "../../attestation/policy/policy.ts";
import { PolicyScope } from "../../attestation/policy/scope.ts";
import { ReferenceSet, SignedReferenceSet } from "../../attestation/references/reference-set.ts";
import { ASSURANCES, CAUSES, CLAIMS, VERDICTS } from "../../attestation/verdict.ts";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

const Tier = oneOf(...VERDICTS);
const AttestationFinding = Type.Object(
  {
    claim: oneOf(...CLAIMS),
    /** `affirming`: information alone. */
    tier: oneOf("affirming", "warning", "contraindicated"),
    code: Type.String(),
    cause: oneOf(...CAUSES),
    message: Type.String(),
  },
  closed,
);

const line = {
  device: DeviceId,
  name: Type.String(),
  site: SitePath,
  assurance: oneOf(...ASSURANCES),
  /** Of now: an outdated one is `none`. */
  verdict: Tier,
  /** It gets nothing new. */
  withheld: Type.Boolean(),
  sentence: Type.String(),
  /** When it was appraised, and when it answered a challenge last. */
  at: MaybeMillis,
  freshAt: MaybeMillis,
  /** Challenges since its last answer. */
  unanswered: Count,
};
const AttestationLine = Type.Object(line, closed);

export const AttestationQuery = Type.Object(
  {
    verdict: Type.Optional(Tier),
    /** This site and everything below it. */
    site: Type.Optional(SitePath),
  },
  closed,
);

export const AttestationList = Type.Object(
  {
    /** Those that do not pass first. */
    devices: Type.Array(AttestationLine),
    counts: Type.Object({ affirming: Count, warning: Count, contraindicated: Count, none: Count }, closed),
    withheld: Count,
  },
  closed,
);
export type AttestationList = Static<typeof AttestationList>;

export const AttestationResource = Type.Object(
  {
    ...line,
    claims: orNull(Type.Record(Type.String(), Tier)),
    findings: Type.Array(AttestationFinding),
    /** After this moment it counts as `none`. */
    notAfter: MaybeMillis,
    /** What holds for it. */
    policy: PolicyContent,
    /** Reference sets that are for it. */
    references: Type.Array(Name),
    chain: Type.Object(
      {
        /** Index of the newest link. */
        head: orNull(Count),
        missing: Type.Array(Type.Object({ from: Count, to: Count }, closed)),
        forked: Type.Boolean(),
      },
      closed,
    ),
    /** What it measured when it was heard last. */
    measurement: orNull(Measurement),
  },
  closed,
);
export type AttestationResource = Static<typeof AttestationResource>;

export const AttestationPage = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    /** Only what happened before this time. */
    before: Type.Optional(Millis),
  },
  closed,
);

export const AttestationHistory = Type.Object(
  {
    entries: Type.Array(
      Type.Object(
        {
          at: Millis,
          source: oneOf("challenge", "offline", "reappraisal", "operator", "refused"),
          tier: orNull(Tier),
          sentence: Type.String(),
          findings: Type.Array(AttestationFinding),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type AttestationHistory = Static<typeof AttestationHistory>;

export const Clearing = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed);

export const AttestationPolicyResource = Type.Object(
  {
    /** `fleet`, `site:PATH` or `class:NAME`. */
    scope: Type.String(),
    /** What is decided there; all else holds as it does above. */
    content: PolicyChange,
    changedBy: Type.String(),
    changedAt: Millis,
  },
  closed,
);
export type AttestationPolicyResource = Static<typeof AttestationPolicyResource>;

export const AttestationPolicyList = Type.Object(
  {
    policies: Type.Array(AttestationPolicyResource),
    /** What holds where nothing is decided. */
    defaults: PolicyContent,
  },
  closed,
);
export type AttestationPolicyList = Static<typeof AttestationPolicyList>;

export const AttestationPolicyInput = Type.Object({ scope: PolicyScope, content: PolicyChange }, closed);
export const AttestationPolicyQuery = PolicyScope;

const reference = {
  name: Name,
  sequence: Count,
  hardwareClass: Type.String(),
  description: Type.String(),
  digest: Type.String(),
  /** Id of the offline key that signed it. */
  keyId: Type.String(),
  importedBy: Type.String(),
  importedAt: Millis,
  counts: Type.Object({ firmware: Count, agents: Count, imaRules: Count }, closed),
};
export const ReferenceResource = Type.Object(reference, closed);
export type ReferenceResource = Static<typeof ReferenceResource>;

export const ReferenceList = Type.Object({ references: Type.Array(ReferenceResource) }, closed);
export type ReferenceList = Static<typeof ReferenceList>;

export const ReferenceDetail = Type.Object({ ...reference, document: SignedReferenceSet }, closed);
export type ReferenceDetail = Static<typeof ReferenceDetail>;

/** JSON text of a signed reference set. */
export const NewReference = Type.Object(
  { document: Type.String({ minLength: 2, maxLength: 4_194_304 }) },
  closed,
);

export const LearnQuery = Type.Object({ name: Name }, closed);
export { ReferenceSet as ReferenceCandidate };
