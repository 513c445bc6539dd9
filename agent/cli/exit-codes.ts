import { type ErrorCode, isMusterError } from "@muster/shared/errors";

/** Exit codes of every command; those of `muster` have the same meaning. They never change. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unhealthy: 3, unreachable: 5 } as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0  done, or healthy
  1  failed; the code, a sentence and the remedy are on stderr
  2  wrong usage or setting, or not enrolled and no join token
  3  unhealthy: the runner failed, or the last update did not succeed (status)
  5  the control plane is unreachable (enroll), or no agent runs here (status)`;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  "settings.invalid": EXIT.usage,
  "enrollment.missing": EXIT.usage,
  "request.unreachable": EXIT.unreachable,
  "request.timeout": EXIT.unreachable,
};

export const exitCodeOf = (error: unknown): number =>
  isMusterError(error) ? (BY_CODE[error.code] ?? EXIT.failed) : EXIT.failed;
