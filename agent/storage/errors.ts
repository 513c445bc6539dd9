import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";

const FULL = new Set(["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "ENOSPC", "EDQUOT"]);
const BROKEN = new Set(["SQLITE_CORRUPT", "SQLITE_NOTADB"]);

const codeOf = (error: unknown): string => {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
};

/** True when the file is not a readable database, whatever the reason. */
export const isBroken = (error: unknown): boolean =>
  isMusterError(error, "storage.broken") ||
  BROKEN.has(codeOf(error)) ||
  codeOf(error).startsWith("SQLITE_CORRUPT_");

/** What SQLite or the file system said, as `storage.full`, `storage.broken` or `internal.unexpected`. */
export function asStorageError(error: unknown): MusterError {
  if (isMusterError(error)) return error;
  if (FULL.has(codeOf(error))) return new MusterError("storage.full", undefined, { cause: error });
  if (isBroken(error)) return new MusterError("storage.broken", undefined, { cause: error });
  return asMusterError(error);
}
