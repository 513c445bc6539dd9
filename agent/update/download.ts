import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { Artifact } from "@muster/shared/protocol/release";
import { hexOf } from "@muster/shared/trust/digest";
import { problemError, readBody } from "../link/response.ts";
import { asStorageError } from "../storage/errors.ts";
import { isMissing } from "./durable.ts";
import type { HttpPort } from "./ports.ts";
import type { ArtifactStore } from "./store.ts";

export interface DownloadContext {
  http: HttpPort;
  store: ArtifactStore;
  /** Downloads from zero before the artifact counts as corrupted. */
  maxCorruptDownloads: number;
  signal: AbortSignal;
  /** Told after each stretch of bytes that is safe on disk. */
  onProgress: () => void;
}

/** Bytes after which a partial file is synced, so that a power cut costs no more than this. */
const SYNC_BYTES = 16 * 1024 ** 2;
const MAX_PROBLEM_BYTES = 64 * 1024;

/**
 * Brings one artifact into the store, continuing where an earlier download stopped (RFC 9110 section 14).
 * Nothing enters the store before size and digest are right.
 * @throws MusterError `artifact.corrupted`, `artifact.too-large`, `release.artifact-missing`,
 *   `download.interrupted`, `storage.full`, or of the request and certificate families
 */
export async function downloadArtifact(artifact: Artifact, context: DownloadContext): Promise<void> {
  for (let corrupted = 0; ; ) {
    try {
      await continueDownload(artifact, context);
      await context.store.admit(artifact.digest);
      return;
    } catch (error) {
      const coded = isMusterError(error) ? error : asStorageError(error);
      if (coded.code === "artifact.corrupted" || coded.code === "artifact.too-large")
        await rm(context.store.partialPathOf(artifact.digest), { force: true });
      if (coded.code !== "artifact.corrupted" || ++corrupted >= context.maxCorruptDownloads) throw coded;
    }
  }
}

/** A partial file that grows, with the hash of what is in it. */
interface Partial {
  file: FileHandle;
  hash: Hash;
  size: number;
}

async function openPartial(path: string, limit: number): Promise<Partial> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  if (size <= limit) return { file: await open(path, "a"), hash, size };
  await rm(path);
  return { file: await open(path, "a"), hash: createHash("sha256"), size: 0 };
}

async function restart(partial: Partial): Promise<void> {
  await partial.file.truncate(0);
  partial.hash = createHash("sha256");
  partial.size = 0;
}

async function continueDownload(artifact: Artifact, context: DownloadContext): Promise<void> {
  const partial = await openPartial(context.store.partialPathOf(artifact.digest), artifact.size);
  try {
    if (partial.size < artifact.size) await receive(artifact, partial, context);
    if (`sha256:${partial.hash.digest("hex")}` !== artifact.digest)
      throw new MusterError(
        "artifact.corrupted",
        `${artifact.name} does not have the digest that was signed.`,
      );
    await partial.file.sync();
  } finally {
    await partial.file.close();
  }
}

async function receive(artifact: Artifact, partial: Partial, context: DownloadContext): Promise<void> {
  const { status, headers, body } = await context.http.request({
    path: DEVICE_API.artifacts + hexOf(artifact.digest),
    headers: partial.size > 0 ? { range: `bytes=${partial.size}-` } : {},
    signal: context.signal,
  });
  try {
    if (status === 200) await restart(partial);
    else if (status === 206) checkRange(artifact, partial, String(headers["content-range"] ?? ""));
    else await refuse(artifact, status, body);
    await write(artifact, partial, body, context);
  } finally {
    body.destroy();
  }
}

/** @throws MusterError `artifact.corrupted` when the server sends another stretch than was asked for */
function checkRange(artifact: Artifact, partial: Partial, contentRange: string): void {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(contentRange);
  const total = match?.[2] === "*" ? artifact.size : Number(match?.[2]);
  if (Number(match?.[1]) !== partial.size || total !== artifact.size)
    throw new MusterError(
      "artifact.corrupted",
      `The server sent the range "${contentRange}" of ${artifact.name}; byte ${partial.size} of ${artifact.size} is next.`,
    );
}

async function refuse(artifact: Artifact, status: number, body: AsyncIterable<Buffer>): Promise<never> {
  if (status === 404)
    throw new MusterError("release.artifact-missing", `The server does not have ${artifact.name}.`);
  if (status === 416)
    throw new MusterError(
      "artifact.corrupted",
      `The server has fewer bytes of ${artifact.name} than signed.`,
    );
  throw problemError(status, (await readBody(body as never, MAX_PROBLEM_BYTES)).toString());
}

async function write(
  artifact: Artifact,
  partial: Partial,
  body: AsyncIterable<Buffer>,
  { onProgress, signal }: DownloadContext,
): Promise<void> {
  let unsynced = 0;
  for await (const chunk of interruptible(body, artifact.name)) {
    if (signal.aborted) throw new MusterError("download.interrupted", "The download was canceled.");
    if (partial.size + chunk.byteLength > artifact.size)
      throw new MusterError(
        "artifact.too-large",
        `The server sends more than the ${artifact.size} bytes of ${artifact.name} that were signed.`,
      );
    await partial.file.appendFile(chunk);
    partial.hash.update(chunk);
    partial.size += chunk.byteLength;
    unsynced += chunk.byteLength;
    if (unsynced < SYNC_BYTES) continue;
    await partial.file.datasync();
    unsynced = 0;
    onProgress();
  }
  if (unsynced > 0) onProgress();
  if (partial.size < artifact.size)
    throw new MusterError(
      "download.interrupted",
      `${partial.size} of ${artifact.size} bytes of ${artifact.name} arrived.`,
    );
}

/** The chunks of a body; what breaks it off becomes `download.interrupted` or `request.timeout`. */
async function* interruptible(body: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    let next: IteratorResult<Buffer>;
    try {
      next = await chunks.next();
    } catch (cause) {
      throw isMusterError(cause)
        ? cause
        : new MusterError("download.interrupted", `${name}: ${asMusterError(cause).message}`, { cause });
    }
    if (next.done) return;
    yield next.value;
  }
}
