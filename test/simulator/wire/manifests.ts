import { asMusterError, MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import type { DeviceApiClient } from "./https.ts";

/** Shortest time between two tries to load one manifest, milliseconds. */
const RETRY_MS = 1_000;

/**
 * Release manifests by digest, loaded once for the whole fleet over the address that devices use. The digest in
 * the signed directive is held against the bytes; TUF metadata is left to the real agent.
 */
export class Manifests {
  readonly known = new Map<string, ReleaseManifest>();
  readonly #api: DeviceApiClient;
  readonly #triedAt = new Map<string, number>();
  readonly #onError: (error: MusterError) => void;

  constructor(api: DeviceApiClient, onError: (error: MusterError) => void) {
    this.#api = api;
    this.#onError = onError;
  }

  /** Loads a manifest in the background unless it is known or was asked for just now. */
  want(release: ReleaseRef, now: number): void {
    if (this.known.has(release.digest)) return;
    if (now - (this.#triedAt.get(release.digest) ?? Number.NEGATIVE_INFINITY) < RETRY_MS) return;
    this.#triedAt.set(release.digest, now);
    this.load(release).catch((error: unknown) => this.#onError(asMusterError(error)));
  }

  /** @throws MusterError `release.digest-mismatch`, `request.` family */
  async load({ name, version, digest }: ReleaseRef): Promise<ReleaseManifest> {
    const path = `${DEVICE_API.targets}releases/${name}/${hexOf(digest)}.${version}.json`;
    const text = await this.#api.ask("GET", path);
    if (sha256(text) !== digest) throw new MusterError("release.digest-mismatch");
    const manifest = parseJson(ReleaseManifest, text, "release.manifest-invalid") as ReleaseManifest;
    this.known.set(digest, manifest);
    return manifest;
  }
}
