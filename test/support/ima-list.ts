import { createHash } from "node:crypto";

/** A file that the kernel measured; a violation has no digest that says anything. */
export interface MeasuredFile {
  readonly path: string;
  readonly content: string;
  /** Hex, with template `ima-sig`. */
  readonly signature?: string;
  readonly violation?: boolean;
}

const sized = (field: Buffer): Buffer[] => [Buffer.from(Uint32Array.of(field.length).buffer), field];

/** What the template hash of a file is taken over. */
export function imaTemplateData(file: MeasuredFile): Buffer {
  const digest = file.violation ? Buffer.alloc(32) : createHash("sha256").update(file.content).digest();
  return Buffer.concat([
    ...sized(Buffer.concat([Buffer.from("sha256:\0"), digest])),
    ...sized(Buffer.from(`${file.path}\0`)),
    ...(file.signature === undefined ? [] : sized(Buffer.from(file.signature, "hex"))),
  ]);
}

/** A line of `ascii_runtime_measurements` as Linux writes it. */
export function imaLine(file: MeasuredFile): string {
  const data = imaTemplateData(file);
  const hash = file.violation ? "0".repeat(40) : createHash("sha1").update(data).digest("hex");
  const digest = data.subarray(12, 44).toString("hex");
  const tail = file.signature === undefined ? "" : ` ${file.signature}`;
  const template = file.signature === undefined ? "ima-ng" : "ima-sig";
  return `10 ${hash} ${template} sha256:${digest} ${file.path}${tail}\n`;
}
