import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { MOST_LOG_BYTES, MOST_UNPACKED_BYTES, type TpmEvidence } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { AttestationSettings } from "./ports.ts";

const pack = promisify(gzip);
/** A list of the kernel that is longer is told as that long, lines beyond are of no use to anybody. */
const MOST_LIST_BYTES = 256 * 1024 * 1024;

/** The logs of this boot, as the kernel shows them. One that is there and cannot be read is told and left out. */
export class BootLogs {
  readonly #files: Pick<AttestationSettings, "bootLog" | "imaList">;
  readonly #failed: (message: string) => void;

  constructor(files: Pick<AttestationSettings, "bootLog" | "imaList">, failed: (message: string) => void) {
    this.#files = files;
    this.#failed = failed;
  }

  /** @param known as for `readBootLog` */
  bootLog(known: Digest | null | undefined): Promise<TpmEvidence["bootLog"]> {
    return readBootLog(this.#files.bootLog, known).catch((error: unknown) => this.#leaveOut(error));
  }

  /** @param from as for `readImaSlice` */
  imaSlice(from: number | undefined): Promise<TpmEvidence["ima"]> {
    return readImaSlice(this.#files.imaList, from).catch((error: unknown) => this.#leaveOut(error));
  }

  #leaveOut(error: unknown): null {
    this.#failed(error instanceof Error ? error.message : String(error));
    return null;
  }
}

const isAbsent = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR", "ENODEV"].includes(String((error as NodeJS.ErrnoException).code));

/**
 * The UEFI event log as it is told.
 * @param known digest of the one that need not be sent; undefined for none to be sent
 * @returns null where the box has none @throws system errors of a log that cannot be read
 */
export async function readBootLog(
  file: string,
  known: Digest | null | undefined,
): Promise<TpmEvidence["bootLog"]> {
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file, { end: MOST_LIST_BYTES }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      if (bytes <= MOST_UNPACKED_BYTES) chunks.push(chunk);
    }
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  if (bytes === 0) return null;
  const digest: Digest = `sha256:${hash.digest("hex")}`;
  const packed = bytes <= MOST_UNPACKED_BYTES ? await pack(Buffer.concat(chunks)) : undefined;
  const fits = packed !== undefined && packed.byteLength <= MOST_LOG_BYTES;
  const send = fits && known !== undefined && known !== digest;
  return { digest, bytes, gzip: send ? packed.toString("base64") : null, oversized: !fits };
}

/**
 * The slice of the list of IMA that comes next.
 * @param from lines that the control plane has; undefined for none to be sent
 * @returns null where the box has none @throws system errors of a list that cannot be read
 */
export async function readImaSlice(file: string, from: number | undefined): Promise<TpmEvidence["ima"]> {
  let total = 0;
  let rest = "";
  const lines: string[] = [];
  const head: string[] = [];
  let [size, headSize] = [0, 0];
  const keep = (line: string): void => {
    if (from === undefined) return;
    if (headSize + line.length <= MOST_UNPACKED_BYTES) {
      head.push(line);
      headSize += line.length;
    } else headSize = Number.POSITIVE_INFINITY;
    if (total < from) return;
    if (size + line.length <= MOST_UNPACKED_BYTES) {
      lines.push(line);
      size += line.length;
    } else size = Number.POSITIVE_INFINITY;
  };
  try {
    const stream = createReadStream(file, { encoding: "latin1", end: MOST_LIST_BYTES });
    for await (const chunk of stream as AsyncIterable<string>) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        keep(`${part}\n`);
        total += 1;
      }
    }
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  if (from === undefined) return { total, from: 0, lines: 0, gzip: null };
  return from > total
    ? { total, from: 0, ...(await packLines(head)) }
    : { total, from, ...(await packLines(lines)) };
}

/** As many of the lines, from the first one on, as fit into one message. */
export async function packLines(
  lines: readonly string[],
  mostBytes = MOST_LOG_BYTES,
): Promise<{ lines: number; gzip: string | null }> {
  let count = lines.length;
  while (count > 0) {
    const packed = await pack(Buffer.from(lines.slice(0, count).join(""), "latin1"));
    if (packed.byteLength <= mostBytes) return { lines: count, gzip: packed.toString("base64") };
    count = Math.min(count - 1, Math.floor((count * mostBytes * 0.98) / packed.byteLength));
  }
  return { lines: 0, gzip: null };
}
