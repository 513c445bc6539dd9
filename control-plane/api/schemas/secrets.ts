import { SECRET_BYTES } from "@muster/shared/protocol/device-secrets";
import { Count, Millis } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { SecretName, SecretScope } from "../../people/secrets/scope.ts";
import { closed } from "./common.ts";

/** Everything but the value, which nobody can read again. */
export const SecretResource = Type.Object(
  {
    id: Type.String(),
    name: SecretName,
    scope: SecretScope,
    /** Master key that it is stored under. */
    keyId: Type.String(),
    version: Count,
    changedBy: Type.String(),
    changedAt: Millis,
  },
  closed,
);
export type SecretResource = Static<typeof SecretResource>;

export const SecretList = Type.Object({ secrets: Type.Array(SecretResource) }, closed);
export type SecretList = Static<typeof SecretList>;

export const NewSecret = Type.Object(
  {
    name: SecretName,
    scope: SecretScope,
    /** Base64. */
    value: Type.String({
      minLength: 1,
      maxLength: Math.ceil(SECRET_BYTES / 3) * 4,
      pattern: "^[A-Za-z0-9+/]*={0,2}$",
    }),
  },
  closed,
);

export const SecretRotation = Type.Object({ keyId: Type.String(), secrets: Count }, closed);
export type SecretRotation = Static<typeof SecretRotation>;
