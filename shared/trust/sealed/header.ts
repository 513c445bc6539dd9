import { hkdfSync } from "node:crypto";
import { MusterError } from "../../errors.ts";
import { canonicalJson } from "../canonical-json.ts";

/*
 * A file sealed with AES-256-GCM in chunks, after the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár,
 * "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015):
 *
 *   "MUSTSEAL" | length of the header (4, big-endian) | header, canonical JSON | chunk | ... | last chunk
 *
 * Each chunk is sealed under a key of this file alone, HKDF-SHA256(key, salt), with the nonce
 * zeros (7) | number of the chunk from 0 (4, big-endian) | 1 for the last one, else 0 (1), and the digest of all that
 * stands before the chunks as associated data: a chunk that is cut off, repeated, moved, put in or taken from another
 * file does not open, and none does under another header.
 */

const MAGIC = Buffer.from("MUSTSEAL");
const INFO = "muster/sealed-artifact/v1";
export const TAG_BYTES = 16;
/** Bytes of a key. */
export const KEY_BYTES = 32;
const CHECK_BYTES = 16;
const LEAST_CHUNK = 1024;
const MOST_CHUNK = 16 * 1024 ** 2;
const MOST_SIZE = 4 * 1024 ** 3;
const MOST_HEADER_BYTES = 1024;
/** Bytes before the header. */
export const PREFIX_BYTES = MAGIC.length + 4;

/** What a sealed file says of itself. */
export interface SealedHeader {
  readonly v: 1;
  /** Id of the key: it names the key and says nothing of it. */
  readonly key: string;
  /** Of this file alone, hex. */
  readonly salt: string;
  /** Tells another key from a damaged file, hex. */
  readonly check: string;
  readonly chunkBytes: number;
  /** `sha256:<hex>` of the file before it was sealed. */
  readonly digest: string;
  /** Bytes of the file before it was sealed. */
  readonly size: number;
}

export const damaged = (why: string): MusterError =>
  new MusterError("key.sealed-invalid", `The sealed file is damaged: ${why}.`);

/** Key of the file, and what its header tells of it. */
export function derive(secret: Uint8Array, salt: string): { fileKey: Buffer; check: Buffer } {
  const bytes = hkdfSync("sha256", secret, Buffer.from(salt, "hex"), INFO, KEY_BYTES + CHECK_BYTES);
  const all = Buffer.from(bytes);
  return { fileKey: all.subarray(0, KEY_BYTES), check: all.subarray(KEY_BYTES) };
}

export function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

export const chunksIn = ({ size, chunkBytes }: SealedHeader): number => Math.ceil(size / chunkBytes);

const matches = (value: unknown, pattern: RegExp): boolean =>
  typeof value === "string" && pattern.test(value);

const isBetween = (value: unknown, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;

/**
 * Checked by hand: the schema library would cost the runner memory for its whole life.
 * @throws MusterError `key.sealed-invalid`
 */
export function requireHeader(value: unknown): SealedHeader {
  const header = (value ?? {}) as Partial<Record<keyof SealedHeader, unknown>>;
  const fits =
    Object.keys(header).length === 7 &&
    header.v === 1 &&
    matches(header.key, /^[0-9a-f]{32}$/) &&
    matches(header.salt, /^[0-9a-f]{64}$/) &&
    matches(header.check, /^[0-9a-f]{32}$/) &&
    matches(header.digest, /^sha256:[0-9a-f]{64}$/) &&
    isBetween(header.chunkBytes, LEAST_CHUNK, MOST_CHUNK) &&
    isBetween(header.size, 1, MOST_SIZE);
  if (!fits) throw damaged("its header is none");
  return header as SealedHeader;
}

/** All that stands before the chunks. */
export function encodeHead(header: SealedHeader): Buffer {
  const text = Buffer.from(canonicalJson(header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([MAGIC, length, text]);
}

/**
 * Length of the header by the first `PREFIX_BYTES` of a file.
 * @throws MusterError `key.sealed-invalid`
 */
export function headerBytesIn(prefix: Buffer): number {
  if (prefix.length < PREFIX_BYTES || !prefix.subarray(0, MAGIC.length).equals(MAGIC))
    throw damaged("it does not begin as one");
  const length = prefix.readUInt32BE(MAGIC.length);
  if (length === 0 || length > MOST_HEADER_BYTES) throw damaged("its header has no possible length");
  return length;
}

/**
 * @param head all that stands before the chunks
 * @throws MusterError `key.sealed-invalid`
 */
export function decodeHead(head: Buffer): SealedHeader {
  if (head.length !== PREFIX_BYTES + headerBytesIn(head)) throw damaged("its header is cut off");
  const text = head.toString("utf8", PREFIX_BYTES);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged("its header is no JSON");
  }
  const header = requireHeader(parsed);
  if (canonicalJson(header) !== text) throw damaged("its header is not canonical");
  return header;
}
