import { MusterError } from "@muster/shared/errors";
import { releaseTarget } from "@muster/shared/protocol/release";
import { hexOf } from "@muster/shared/trust/digest";
import type { TargetEntry } from "@muster/shared/trust/tuf";

/**
 * The targets that come with a new release must list it exactly and keep every release registered before: a
 * release that is missing there could not be installed or gone back to.
 * @throws MusterError `release.digest-mismatch` for the new entry, `request.conflict` for a missing older one
 */
export function requireEntries(
  entries: readonly TargetEntry[],
  registered: readonly { name: string; version: string; digest: string }[],
  added: TargetEntry,
): void {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const entry = byPath.get(added.path);
  if (!entry)
    throw new MusterError("release.digest-mismatch", `The signed targets do not list ${added.path}.`);
  if (entry.sha256 !== added.sha256 || entry.length !== added.length)
    throw new MusterError(
      "release.digest-mismatch",
      `The targets sign ${added.path} with sha256:${entry.sha256} (${entry.length} bytes); the manifest has sha256:${added.sha256} (${added.length} bytes).`,
    );
  for (const { name, version, digest } of registered)
    if (byPath.get(releaseTarget(name, version))?.sha256 !== hexOf(digest))
      throw new MusterError(
        "request.conflict",
        `The signed targets lack ${name} ${version}, which was registered meanwhile: sign again from the targets in force.`,
      );
}
