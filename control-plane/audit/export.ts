import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { AuditEntryResource, CheckpointResource } from "../api/schemas/audit.ts";
import { closed } from "../api/schemas/common.ts";
import type { AuditEntry, Checkpoint } from "./entry.ts";

const EXPORT_FORMAT = "muster.audit-export/1";

/** First line of an export. Its key is a hint: who checks the file brings the key along. */
const Header = Type.Object(
  {
    format: Type.Literal(EXPORT_FORMAT),
    publicKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    checkpoints: Type.Array(CheckpointResource),
  },
  closed,
);
export type ExportHeader = Static<typeof Header>;

export const exportHeader = (publicKey: string, checkpoints: readonly Checkpoint[]): string =>
  `${JSON.stringify({ format: EXPORT_FORMAT, publicKey, checkpoints: [...checkpoints] } satisfies ExportHeader)}\n`;

export const exportLine = (entry: AuditEntry): string => `${JSON.stringify(entry)}\n`;

/**
 * Reads an export line by line: its header first, then entry by entry.
 * @throws MusterError `audit.export-invalid` with the line, `settings.invalid` where there is no such file
 */
export async function readExport(
  file: string,
  onHeader: (header: ExportHeader) => void,
  onEntry: (entry: AuditEntry) => void,
): Promise<void> {
  let number = 0;
  try {
    for await (const line of createInterface({
      input: createReadStream(file),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      number += 1;
      if (number === 1) onHeader(parseJson(Header, line, "audit.export-invalid"));
      else if (line !== "") onEntry(parseJson(AuditEntryResource, line, "audit.export-invalid"));
    }
  } catch (error) {
    if (error instanceof MusterError)
      throw new MusterError("audit.export-invalid", `${file}, line ${number}: ${error.message}`, {
        cause: error,
      });
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause: error });
  }
  if (number === 0) throw new MusterError("audit.export-invalid", `${file} is empty.`);
}
