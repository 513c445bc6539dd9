import { Millis } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed } from "./common.ts";

/** An authority of a TPM vendor: its certificates of endorsement keys are believed. */
export const EkRootResource = Type.Object(
  {
    /** SHA-256 of the certificate, hex. */
    id: Type.String(),
    name: Type.String(),
    validFrom: Millis,
    validTo: Millis,
    addedAt: Millis,
  },
  closed,
);
export type EkRootResource = Static<typeof EkRootResource>;

export const EkRootList = Type.Object({ ekRoots: Type.Array(EkRootResource) }, closed);
export type EkRootList = Static<typeof EkRootList>;

export const NewEkRoot = Type.Object(
  {
    /** One CA certificate: PEM, or DER in base64. */
    certificate: Type.String({ minLength: 64, maxLength: 65_536 }),
  },
  closed,
);
