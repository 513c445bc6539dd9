import { asMusterError, MusterError } from "@muster/shared/errors";

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";

const UNUSABLE = /^(SQLITE_(CORRUPT|NOTADB|IOERR|CANTOPEN|READONLY|PERM).*|EACCES|EPERM|EROFS|EIO|ENOTDIR)$/;

/** An error of SQLite or of the file system as one of the `storage.` family; a MusterError stays as it is. */
export function asStorageError(error: unknown, file = "The database"): MusterError {
  if (error instanceof MusterError) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT")
    return new MusterError("storage.full", `${file}: the disk is full.`, options);
  if (UNUSABLE.test(code))
    return new MusterError("storage.broken", `${file} cannot be read or written (${code}).`, options);
  return asMusterError(error);
}

/** True when a UNIQUE or PRIMARY KEY constraint refused a row. */
export const isDuplicate = (error: unknown): boolean =>
  /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(codeOf(error));
