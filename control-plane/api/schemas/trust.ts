import { type Static, Type } from "typebox";
import { closed, MaybeMillis, orNull } from "./common.ts";

const OnlineKey = Type.Object({ keyId: Type.String(), publicKey: Type.String() }, closed);
const Version = Type.Integer({ minimum: 0 });

/** Trust metadata as it stands; texts are null and versions 0 before `muster trust init`. */
export const TrustResource = Type.Object(
  {
    /** Public keys that the control plane signs with. */
    online: Type.Object({ snapshot: OnlineKey, timestamp: OnlineKey, directive: OnlineKey }, closed),
    root: orNull(Type.String()),
    targets: orNull(Type.String()),
    versions: Type.Object({ root: Version, targets: Version, snapshot: Version, timestamp: Version }, closed),
    expires: Type.Object(
      { root: MaybeMillis, targets: MaybeMillis, snapshot: MaybeMillis, timestamp: MaybeMillis },
      closed,
    ),
  },
  closed,
);
export type TrustResource = Static<typeof TrustResource>;

/** The next root, signed offline, and targets where they change with it; JSON texts. */
export const NewRoot = Type.Object(
  {
    root: Type.String({ minLength: 2, maxLength: 524_288 }),
    targets: Type.Optional(Type.String({ minLength: 2, maxLength: 2_097_152 })),
  },
  closed,
);
