import { type Static, Type } from "typebox";
import { SealedBox } from "../trust/sealed-box.ts";
import { DeviceId, Name } from "./primitives.ts";

/** Largest value of a secret, and of all secrets of a device together, bytes. */
export const SECRET_BYTES = 16 * 1024;
export const SECRETS_OF_DEVICE_BYTES = 128 * 1024;

const closed = { additionalProperties: false };
const Version = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** What is sealed: it says itself which secret of which device it is, so that none can stand for another. */
export const SecretContent = Type.Object(
  {
    device: DeviceId,
    name: Name,
    version: Version,
    /** Base64. */
    value: Type.String({ pattern: "^[A-Za-z0-9+/]*={0,2}$" }),
  },
  closed,
);
export type SecretContent = Static<typeof SecretContent>;

/** All secrets of a device; what is not named is to be removed. */
export const DeviceSecrets = Type.Object(
  {
    v: Type.Literal(1),
    secrets: Type.Array(Type.Object({ name: Name, version: Version, box: SealedBox }, closed), {
      maxItems: 256,
    }),
  },
  closed,
);
export type DeviceSecrets = Static<typeof DeviceSecrets>;
