import { MusterError } from "@muster/shared/errors";

/** `settings.invalid` that says why nothing can listen there. */
export function listenError(host: string, port: number, cause: unknown): MusterError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason =
    code === "EADDRINUSE"
      ? "another process uses this port"
      : code === "EACCES"
        ? "this user may not use this port"
        : code === "EADDRNOTAVAIL"
          ? "this machine has no such address"
          : message;
  return new MusterError("settings.invalid", `Cannot listen on ${host}:${port}: ${reason}.`, { cause });
}
