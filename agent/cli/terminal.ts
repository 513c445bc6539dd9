import { asMusterError } from "@muster/shared/errors";

/** What a command sees of the process that it runs in. */
export interface Terminal {
  env: Readonly<Record<string, string | undefined>>;
  /** Data. */
  out: (text: string) => void;
  /** Talk and errors. */
  err: (text: string) => void;
}

/** Code, sentence and remedy, as every error is shown. */
export function showError(terminal: Terminal, cause: unknown): void {
  const error = asMusterError(cause);
  terminal.err(`error ${error.code}: ${error.message}\n  ${error.remedy}\n`);
}
