import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";

/** A release as people name it. */
export const releaseName = (release: Pick<ReleaseRef, "name" | "version"> | null): string =>
  release ? `${release.name} ${release.version}` : "nothing";

/** A failure in one line. */
export const failureText = (failure: Failure | null | undefined): string =>
  failure ? `${failure.code}: ${failure.message}` : "";
