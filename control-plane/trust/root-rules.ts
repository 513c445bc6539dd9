import { MusterError } from "@muster/shared/errors";
import { directiveKeysOf, type parseRoot } from "@muster/shared/trust/tuf";
import type { OnlinePublicKeys } from "./views.ts";

type RootMetadata = ReturnType<typeof parseRoot>;

/**
 * A root that does not name this control plane's online keys would leave every device without updates.
 * @throws MusterError `trust.root-invalid` that names the role
 */
export function requireOnlineKeys(root: RootMetadata, online: OnlinePublicKeys): void {
  const { roles, keys } = root.signed;
  if (!root.signed.consistentSnapshot)
    throw new MusterError("trust.root-invalid", "The root must ask for consistent snapshots.");
  for (const name of ["snapshot", "timestamp"] as const) {
    const role = roles[name];
    const named = role?.keyIDs.some((id) => keys[id]?.keyVal.public === online[name].publicKey) ?? false;
    if (role?.threshold !== 1 || !named)
      throw new MusterError(
        "trust.root-invalid",
        `The root does not name the ${name} key ${online[name].keyId} of this control plane.`,
      );
  }
  const { keyId, publicKey } = online.directive;
  if (directiveKeysOf(root)[keyId] !== publicKey)
    throw new MusterError(
      "trust.root-invalid",
      `The root does not name the directive key ${keyId} of this control plane.`,
    );
}
