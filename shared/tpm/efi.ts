import { LogReader } from "./log-reader.ts";

/** Most characters of a text that goes from a log into a sentence. */
const MOST_TEXT = 160;

/** Text as it may stand in a sentence: one line, printable, not too long. */
export function plain(text: string): string {
  const cleaned = text
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return cleaned.length > MOST_TEXT ? `${cleaned.slice(0, MOST_TEXT)}…` : cleaned;
}

const MOST_TEXT_BYTES = 4 * MOST_TEXT;

function upToNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** Text of bytes that are UCS-2 or UTF-8, since firmware and boot loaders write both; empty for what is no text. */
export function textOf(data: Buffer): string {
  const head = data.subarray(0, MOST_TEXT_BYTES);
  const wide = head.length >= 4 && head[0] !== 0 && head[1] === 0 && head[3] === 0;
  const text = upToNul(
    head.subarray(0, wide ? head.length & ~1 : head.length).toString(wide ? "utf16le" : "utf8"),
  );
  // A cut may go through the last letter.
  const isText = !text.slice(0, -1).includes("\ufffd") && !/[^\P{Cc}\t\n\r]/u.test(text);
  return isText ? plain(text) : "";
}

/** UEFI_VARIABLE_DATA: vendor, name and content of a firmware variable. */
export interface EfiVariable {
  readonly name: string;
  readonly content: Buffer;
}

const MOST_NAME_UNITS = 256;

/** @throws MusterError `attestation.log-malformed` */
export function readVariable(data: Buffer): EfiVariable {
  const reader = new LogReader(data);
  reader.bytes(16);
  const units = reader.u64();
  const length = reader.u64();
  const name = plain(
    reader
      .bytes(units * 2)
      .subarray(0, MOST_NAME_UNITS * 2)
      .toString("utf16le"),
  );
  return { name, content: reader.bytes(length) };
}

/** Description of an EFI_LOAD_OPTION, as a boot menu shows it. @throws MusterError `attestation.log-malformed` */
export function loadOptionName(content: Buffer): string {
  const reader = new LogReader(content);
  reader.bytes(6);
  return plain(upToNul(reader.bytes(reader.remaining).subarray(0, MOST_TEXT_BYTES).toString("utf16le")));
}

const MEDIA = 0x04;
const FILE_PATH = 0x04;
const END = 0x7f;
const MOST_NODES = 64;

/** File in an EFI device path; empty where it names none. @throws MusterError `attestation.log-malformed` */
function fileOf(path: Buffer): string {
  const reader = new LogReader(path);
  let file = "";
  for (let node = 0; node < MOST_NODES && reader.remaining >= 4; node++) {
    const type = reader.u8();
    const subtype = reader.u8();
    const length = reader.u16();
    if (type === END || length < 4) break;
    const content = reader.bytes(length - 4);
    if (type === MEDIA && subtype === FILE_PATH)
      file += upToNul(content.subarray(0, MOST_TEXT_BYTES).toString("utf16le"));
  }
  return plain(file);
}

/** File of a UEFI_IMAGE_LOAD_EVENT; empty where it names none. @throws MusterError `attestation.log-malformed` */
export function imageFile(data: Buffer): string {
  const reader = new LogReader(data);
  reader.bytes(24);
  return fileOf(reader.bytes(reader.u64()));
}
