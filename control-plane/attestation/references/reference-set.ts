import { Digest, Labels, Name, Version } from "@muster/shared/protocol/primitives";
import { SignedDocument } from "@muster/shared/trust/signed-document";
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false };
const Words = Type.String({ minLength: 1, maxLength: 500 });
const PcrName = "^([0-9]|1[0-9]|2[0-3])$";

/** Golden values of one bank by PCR, hex. */
const PcrValues = (bytes: number) =>
  Type.Record(
    Type.String({ pattern: PcrName }),
    Type.String({ pattern: `^[0-9a-f]{${bytes * 2}}$` }),
    closed,
  );

/** One event of a golden boot log, in the order in which it was extended. */
export const GoldenEvent = Type.Object(
  {
    pcr: Type.Integer({ minimum: 0, maximum: 23 }),
    /** Name of the event type (TCG PC Client Platform Firmware Profile), e.g. `EV_EFI_BOOT_SERVICES_APPLICATION`. */
    type: Type.String({ minLength: 1, maxLength: 64 }),
    /** Digest of the SHA-256 bank, hex. */
    digest: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    description: Type.Optional(Type.String({ maxLength: 200 })),
  },
  closed,
);
export type GoldenEvent = Static<typeof GoldenEvent>;

/** A state of the firmware that is good. A box that is in any of those listed passes. */
export const FirmwareState = Type.Object(
  {
    /** As people name it, e.g. `Bios 1.42`. */
    name: Type.String({ minLength: 1, maxLength: 100 }),
    pcrs: Type.Object(
      { sha256: Type.Optional(PcrValues(32)), sha384: Type.Optional(PcrValues(48)) },
      { ...closed, minProperties: 1 },
    ),
    /** What a difference is explained with; values alone decide. */
    events: Type.Optional(Type.Array(GoldenEvent, { maxItems: 1024 })),
  },
  closed,
);
export type FirmwareState = Static<typeof FirmwareState>;

/** Files that the system may use, by the list of the kernel (IMA). A path that several rules name passes by any of them. */
const ImaRule = Type.Object(
  {
    /** Absolute; `*` stands for anything within a name, `**` for anything. */
    paths: Type.Array(Type.String({ pattern: "^[/*][^\\u0000-\\u001f]{0,511}$" }), {
      minItems: 1,
      maxItems: 64,
    }),
    /** What the file may hold. Neither this nor `signedBy`: anything. */
    digests: Type.Optional(
      Type.Array(Type.String({ pattern: "^(sha1|sha256|sha384|sha512):[0-9a-f]{40,128}$" }), {
        maxItems: 20_000,
      }),
    ),
    /** Ids of the keys that may have signed the file (`ima-sig`, last four bytes of the key id), hex. */
    signedBy: Type.Optional(Type.Array(Type.String({ pattern: "^[0-9a-f]{8}$" }), { maxItems: 32 })),
  },
  closed,
);

const TpmFirmware = Type.String({ pattern: "^[0-9a-f]{16}$" });

/** What the evidence of devices of one kind is appraised against: a reviewed file, signed offline. */
export const ReferenceSet = Type.Object(
  {
    schema: Type.Literal("muster.reference-set/1"),
    name: Name,
    /** Grows with each version of the file: an older one never takes the place of a newer one. */
    sequence: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    description: Words,
    /** For devices of this hardware class; `any` for all. */
    hardwareClass: Type.String({ pattern: "^(any|[a-z0-9_]+-[a-z0-9_]+-[a-z0-9-]+)$" }),
    /** Of these only the devices that have all of these labels. */
    labels: Type.Optional(Labels),
    firmware: Type.Optional(Type.Array(FirmwareState, { maxItems: 64 })),
    /** Agents that may run. */
    agents: Type.Optional(
      Type.Array(Type.Object({ version: Version, digest: Digest }, closed), { maxItems: 256 }),
    ),
    ima: Type.Optional(
      Type.Object(
        {
          rules: Type.Array(ImaRule, { maxItems: 512 }),
          /** What a file counts as that no rule allows. */
          otherwise: Type.Union([Type.Literal("warning"), Type.Literal("contraindicated")]),
        },
        closed,
      ),
    ),
    minimum: Type.Optional(
      Type.Object(
        {
          /** Firmware version of the TPM as it quotes it, 16 hex digits. */
          tpmFirmware: Type.Optional(TpmFirmware),
          /** Of the form 1.2.3. */
          agent: Type.Optional(Type.String({ pattern: "^[0-9]{1,9}(\\.[0-9]{1,9}){0,3}$" })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type ReferenceSet = Static<typeof ReferenceSet>;

/** A reference set with the signature of an offline key. */
export const SignedReferenceSet = SignedDocument(ReferenceSet);
export type SignedReferenceSet = Static<typeof SignedReferenceSet>;
