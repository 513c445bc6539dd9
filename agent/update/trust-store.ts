import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { ReleaseManifest, releaseTarget } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { directiveKeysIn } from "@muster/shared/trust/directive-keys";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { TargetFile, Updater } from "tuf-js";
import { problemError, readBody } from "../link/response.ts";
import { asStorageError } from "../storage/errors.ts";
import { MetadataDirectory } from "./metadata-dir.ts";
import type { HttpPort } from "./ports.ts";
import { METADATA_BASE_URL, TufFetcher } from "./tuf-fetcher.ts";

const MAX_MANIFEST_BYTES = 1024 * 1024;

export interface TrustedManifest {
  manifest: ReleaseManifest;
  /** The manifest as it was signed. */
  text: string;
}

/**
 * The device's view of the signed release metadata (TUF 1.0.34). What has expired or does not verify stops new
 * installs and nothing else. tuf-js is loaded when it is first needed.
 */
export class TrustStore {
  readonly #http: HttpPort;
  readonly #metadata: MetadataDirectory;
  #queue: Promise<unknown> = Promise.resolve();
  #keys: TrustedKeys | undefined;

  constructor(dataDir: string, http: HttpPort) {
    this.#http = http;
    this.#metadata = new MetadataDirectory(dataDir);
  }

  /**
   * Keys that may sign directives, by the newest root that is known; this waits for no download.
   * @throws MusterError `trust.uninitialized` or `trust.metadata-invalid`
   */
  async directiveKeys(): Promise<TrustedKeys> {
    this.#keys ??= await this.#exclusively(async () => directiveKeysIn(await this.#metadata.rootText()));
    return this.#keys;
  }

  /**
   * Brings the metadata up to date.
   * @throws MusterError of the trust and request families; a newer root is kept even then
   */
  refresh(signal: AbortSignal): Promise<void> {
    return this.#withUpdater(signal, (updater) => updater.refresh());
  }

  /**
   * The manifest of a release that a directive names, from signed and unexpired metadata.
   * @throws MusterError `release.unsigned`, `release.digest-mismatch`, `release.manifest-invalid`, or of the
   *   trust and request families
   */
  async trustedManifest(release: ReleaseRef, signal: AbortSignal): Promise<TrustedManifest> {
    const path = releaseTarget(release.name, release.version);
    const target = await this.#withUpdater(signal, (updater) => updater.getTargetInfo(path));
    if (!target) throw new MusterError("release.unsigned", `The signed metadata does not list ${path}.`);
    if (`sha256:${target.hashes.sha256}` !== release.digest)
      throw new MusterError(
        "release.digest-mismatch",
        `Signed is ${target.hashes.sha256} for ${path}, the directive asks for ${release.digest}.`,
      );
    const bytes = await this.#download(target, signal);
    return { manifest: manifestOf(bytes, release), text: bytes.toString() };
  }

  async #download(target: TargetFile, signal: AbortSignal): Promise<Buffer> {
    if (target.length > MAX_MANIFEST_BYTES)
      throw new MusterError("release.manifest-invalid", `The manifest has ${target.length} bytes.`);
    const slash = target.path.lastIndexOf("/") + 1;
    const hashed = `${target.path.slice(0, slash)}${target.hashes.sha256}.${target.path.slice(slash)}`;
    const { status, body } = await this.#http.request({ path: DEVICE_API.targets + hashed, signal });
    const bytes = await readBody(body, MAX_MANIFEST_BYTES);
    if (status === 404)
      throw new MusterError("release.artifact-missing", `The server does not have ${hashed}.`);
    if (status !== 200) throw problemError(status, bytes.toString());
    if (bytes.byteLength !== target.length || sha256(bytes) !== `sha256:${target.hashes.sha256}`)
      throw new MusterError("artifact.corrupted", `${target.path} does not have the digest that was signed.`);
    return bytes;
  }

  #withUpdater<T>(signal: AbortSignal, use: (updater: Updater) => Promise<T>): Promise<T> {
    return this.#exclusively(async () => {
      const [{ Updater }, { DownloadHTTPError }] = await Promise.all([
        import("tuf-js"),
        import("tuf-js/dist/error.js"),
      ]);
      const fetcher = new TufFetcher(this.#http, DownloadHTTPError, signal);
      const work = this.#metadata.update(async (metadataDir) => {
        try {
          return await use(new Updater({ metadataDir, metadataBaseUrl: METADATA_BASE_URL, fetcher }));
        } catch (error) {
          throw fetcher.failure ?? asTrustError(error);
        }
      });
      return work.finally(() => {
        this.#keys = undefined;
      });
    });
  }

  /** Two at once would overwrite each other's metadata. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work).catch((error: unknown) => {
      throw asStorageError(error);
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

/** tuf-js hides the class of an error inside the text of another one. */
function asTrustError(error: unknown): MusterError {
  if (isMusterError(error)) return error;
  const { message } = asMusterError(error);
  if (/ENOSPC|EDQUOT/.test(message)) return new MusterError("storage.full", undefined, { cause: error });
  if (/Failed to persist/.test(message))
    return new MusterError("internal.unexpected", message, { cause: error });
  const code = /expired/i.test(message) ? "trust.metadata-expired" : "trust.metadata-invalid";
  return new MusterError(code, `The release metadata was refused: ${message}`.slice(0, 900), {
    cause: error,
  });
}

/** @throws MusterError `release.manifest-invalid` or `release.digest-mismatch` */
function manifestOf(bytes: Buffer, release: ReleaseRef): ReleaseManifest {
  const manifest = parseJson(ReleaseManifest, bytes, "release.manifest-invalid");
  if (
    manifest.name !== release.name ||
    manifest.version !== release.version ||
    manifest.sequence !== release.sequence
  )
    throw new MusterError(
      "release.digest-mismatch",
      `The manifest says ${manifest.name} ${manifest.version} (${manifest.sequence}), the directive ${release.name} ${release.version} (${release.sequence}).`,
    );
  requireDistinct(
    "components",
    manifest.components.map(({ type, name }) => `${type} ${name}`),
  );
  for (const component of manifest.components)
    if (component.type === "model")
      requireDistinct(
        `variants of ${component.name}`,
        component.variants.map(({ id }) => id),
      );
  return manifest;
}

/** @throws MusterError `release.manifest-invalid` */
function requireDistinct(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new MusterError("release.manifest-invalid", `Two ${what} have the same name: ${twice}.`);
}
