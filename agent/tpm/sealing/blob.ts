import { asMusterError, MusterError } from "@muster/shared/errors";
import { readSelection } from "@muster/shared/tpm/attest";
import { TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import type { WrappedObject } from "../commands/object.ts";
import { selectionOf } from "../commands/pcr.ts";
import type { PcrChoice } from "../face.ts";

/** "MTPM" and the version of the format. */
const MAGIC = 0x4d54504d;
const VERSION = 1;
/** Most bytes that are sealed. */
export const MOST_SEALED_BYTES = 64 * 1024;

/** What is needed to open sealed bytes, none of it secret. */
export interface SealedHead {
  /** Name of the storage key. */
  readonly parent: Buffer;
  readonly object: WrappedObject;
  readonly pcrs: PcrChoice | null;
}

export interface SealedBlob extends SealedHead {
  /** The head as it was written: the cipher covers it. */
  readonly head: Buffer;
  readonly tag: Buffer;
  readonly data: Buffer;
}

export const encodeHead = ({ parent, object, pcrs }: SealedHead): Buffer =>
  new TpmWriter()
    .u32(MAGIC)
    .u8(VERSION)
    .sized(parent)
    .bytes(object.private)
    .bytes(object.public)
    .sized(pcrs ? selectionOf(pcrs) : Buffer.alloc(0))
    .build();

export const encodeBlob = ({ head, tag, data }: Pick<SealedBlob, "head" | "tag" | "data">): Buffer =>
  new TpmWriter().bytes(head).sized(tag).u32(data.length).bytes(data).build();

/** @throws MusterError `tpm.seal-broken` */
export function parseBlob(bytes: Uint8Array): SealedBlob {
  try {
    const reader = new TpmReader(bytes, "sealed blob");
    if (reader.u32() !== MAGIC)
      throw new MusterError("tpm.seal-broken", "These are no sealed bytes of Muster.");
    const version = reader.u8();
    if (version !== VERSION)
      throw new MusterError("tpm.seal-broken", `Sealed bytes of version ${version} are not known.`);
    const parent = reader.sized();
    const object = { private: sizedWhole(reader), public: sizedWhole(reader) };
    const pcrs = choiceIn(reader.sized());
    const head = Buffer.from(bytes.subarray(0, bytes.length - reader.remaining));
    const tag = reader.sized();
    const length = reader.u32();
    if (length > MOST_SEALED_BYTES)
      throw new MusterError("tpm.seal-broken", "There are too many sealed bytes.");
    const data = reader.bytes(length);
    reader.end();
    return { parent, object, pcrs, head, tag, data };
  } catch (error) {
    const { code, message } = asMusterError(error);
    throw code === "tpm.malformed" ? new MusterError("tpm.seal-broken", message, { cause: error }) : error;
  }
}

/** A TPM2B with its size, as a command takes it. */
const sizedWhole = (reader: TpmReader): Buffer => new TpmWriter().sized(reader.sized()).build();

function choiceIn(bytes: Buffer): PcrChoice | null {
  if (bytes.length === 0) return null;
  const reader = new TpmReader(bytes, "PCR selection of the sealed blob");
  const [choice] = readSelection(reader);
  reader.end();
  if (!choice) throw new MusterError("tpm.seal-broken", "The sealed blob is bound to no PCR and says it is.");
  return choice;
}
