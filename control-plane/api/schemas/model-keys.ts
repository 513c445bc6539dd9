import { Count, Millis } from "@muster/shared/protocol/primitives";
import { SealKeyId } from "@muster/shared/protocol/release";
import { type Static, Type } from "typebox";
import { closed, orNull } from "./common.ts";

/** A key of sealed models, without the key itself: nobody can read that. */
export const ModelKeyResource = Type.Object(
  {
    id: SealKeyId,
    name: Type.String(),
    createdBy: Type.String(),
    createdAt: Millis,
    withdrawn: orNull(Type.Object({ by: Type.String(), at: Millis }, closed)),
    /** Releases that need it. */
    releases: Type.Array(Type.String()),
    /** Devices whose lease is not over. */
    leases: Count,
  },
  closed,
);
export type ModelKeyResource = Static<typeof ModelKeyResource>;

export const ModelKeyList = Type.Object({ keys: Type.Array(ModelKeyResource) }, closed);
export type ModelKeyList = Static<typeof ModelKeyList>;

export const NewModelKey = Type.Object(
  {
    /** What it is for. */
    name: Type.String({ minLength: 1, maxLength: 200 }),
    /** 32 bytes, base64. */
    key: Type.String({ pattern: "^[A-Za-z0-9+/]{43}=$" }),
  },
  closed,
);

export const ModelKeyParams = Type.Object({ id: SealKeyId }, closed);
