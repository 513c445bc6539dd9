import { type ErrorCode, isMusterError } from "@muster/shared/errors";

/** Exit codes of every command. Scripts depend on them: they never change their meaning. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unhealthy: 3, notFound: 4, unreachable: 5 } as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0  done, or healthy
  1  failed; the code, a sentence and the remedy are on stderr
  2  wrong usage or setting
  3  unhealthy: the rollout was stopped by a gate, aborted or reverted
  4  the thing named does not exist
  5  the control plane is unreachable, or does not know the operator token`;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  "settings.invalid": EXIT.usage,
  "request.invalid": EXIT.usage,
  "window.invalid": EXIT.usage,
  "freeze.invalid": EXIT.usage,
  "selector.invalid": EXIT.usage,
  "rollout.plan-invalid": EXIT.usage,
  "energy.invalid": EXIT.usage,
  "alert.receiver-invalid": EXIT.usage,
  "alert.rule-invalid": EXIT.usage,
  "request.not-found": EXIT.notFound,
  "request.unauthorized": EXIT.unreachable,
  "request.rate-limited": EXIT.unreachable,
  "request.unreachable": EXIT.unreachable,
  "request.timeout": EXIT.unreachable,
};

/** Exit code that tells a script what kind of failure this is. */
export const exitCodeOf = (error: unknown): number =>
  isMusterError(error) ? (BY_CODE[error.code] ?? EXIT.failed) : EXIT.failed;
