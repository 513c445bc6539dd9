import { type ErrorCode, MusterError } from "@muster/shared/errors";
import { TPM_RC } from "@muster/shared/tpm/constants";

/** What the codes that Muster meets mean (part 2, 6.6), in plain words. */
const WORDS: Readonly<Record<keyof typeof TPM_RC, string>> = {
  SUCCESS: "it succeeded",
  BAD_TAG: "it takes the command for one of TPM 1.2",
  INITIALIZE: "it was not started up",
  FAILURE: "it is in failure mode and does nothing before the box is switched off and on",
  DISABLED: "the command is disabled",
  PCR_CHANGED: "the PCRs changed meanwhile",
  REBOOT: "it needs a restart of the box first",
  AUTH_UNAVAILABLE: "this way to authorize is not open",
  COMMAND_SIZE: "the command has a wrong size",
  COMMAND_CODE: "it does not know the command",
  NV_LOCKED: "the memory is locked",
  NV_AUTHORIZATION: "the memory may not be used this way",
  NV_UNINITIALIZED: "the memory was never written",
  NV_SPACE: "it has no memory left",
  NV_DEFINED: "the memory is defined already",
  ATTRIBUTES: "attributes do not fit each other",
  HASH: "the hash algorithm is not supported or not the right one",
  VALUE: "a value is out of range",
  HANDLE: "the handle is not the one of such a thing, or of nothing",
  AUTH_FAIL: "the password is wrong",
  SIZE: "a structure has a wrong size",
  INSUFFICIENT: "a structure ends too early",
  SIGNATURE: "the signature is not valid",
  POLICY_FAIL: "the policy is not met",
  INTEGRITY: "the integrity check failed",
  BAD_AUTH: "the password is wrong",
  CURVE: "the curve is not supported",
  ECC_POINT: "the point is not on the curve",
  CONTEXT_GAP: "too many contexts were saved since an old one",
  OBJECT_MEMORY: "it has no room for another key",
  SESSION_MEMORY: "it has no room for another session",
  MEMORY: "it has no room",
  SESSION_HANDLES: "it has no session left",
  OBJECT_HANDLES: "it has no handle left",
  LOCALITY: "it is not meant for this locality",
  YIELDED: "it was busy with something of its own",
  CANCELED: "the command was cancelled",
  TESTING: "it tests itself",
  REFERENCE_H0: "a key or session is not loaded any more",
  NV_RATE: "its memory is written too often and rests",
  LOCKOUT: "it is locked out after too many wrong passwords",
  RETRY: "it could not begin yet",
  NV_UNAVAILABLE: "its memory cannot be reached just now",
};

const NAMES = new Map(
  Object.entries(TPM_RC).map(([name, code]) => [code as number, name as keyof typeof TPM_RC]),
);

const CODES: Partial<Record<keyof typeof TPM_RC, ErrorCode>> = {
  NV_SPACE: "tpm.full",
  OBJECT_MEMORY: "tpm.full",
  SESSION_MEMORY: "tpm.full",
  MEMORY: "tpm.full",
  SESSION_HANDLES: "tpm.full",
  OBJECT_HANDLES: "tpm.full",
  LOCKOUT: "tpm.locked-out",
  AUTH_FAIL: "tpm.authorization-failed",
  BAD_AUTH: "tpm.authorization-failed",
  NV_AUTHORIZATION: "tpm.authorization-failed",
  AUTH_UNAVAILABLE: "tpm.authorization-failed",
  POLICY_FAIL: "tpm.policy-failed",
  COMMAND_CODE: "tpm.unsupported",
  CURVE: "tpm.unsupported",
  HASH: "tpm.unsupported",
  NV_RATE: "tpm.busy",
  YIELDED: "tpm.busy",
  RETRY: "tpm.busy",
  TESTING: "tpm.busy",
  NV_UNAVAILABLE: "tpm.busy",
  CANCELED: "tpm.busy",
  CONTEXT_GAP: "tpm.busy",
};

const FORMAT_ONE = 0x080;
/** Codes 0x910 to 0x916 and 0x918 to 0x91e name the handle or session that is not loaded. */
const FIRST_REFERENCE = TPM_RC.REFERENCE_H0;
const LAST_REFERENCE = 0x91e;

/** The code without the number of parameter, handle or session that a format-one code carries (part 2, 6.6.2). */
function bareCode(rc: number): number {
  if ((rc & FORMAT_ONE) !== 0) return rc & 0x0bf;
  return rc >= FIRST_REFERENCE && rc <= LAST_REFERENCE ? FIRST_REFERENCE : rc;
}

/** What a format-one code says that it is about, in words. */
function subjectOf(rc: number): string {
  if ((rc & FORMAT_ONE) === 0) return "";
  const number = (rc >> 8) & 0xf;
  if ((rc & 0x040) !== 0) return `, parameter ${number}`;
  return (number & 0x8) === 0 ? `, handle ${number}` : `, session ${number & 0x7}`;
}

/** An answer of the TPM that is no. */
export class TpmRefusal extends MusterError {
  /** TPM_RC without the number of its parameter, handle or session. */
  readonly rc: number;

  /** @param command its name, for the sentence */
  constructor(command: string, rc: number) {
    const bare = bareCode(rc);
    const name = NAMES.get(bare);
    const words = name ? `: ${WORDS[name]}` : "";
    super(
      (name && CODES[name]) ?? "tpm.failed",
      `The TPM refused ${command} with 0x${rc.toString(16)} (${name ?? "unknown"}${subjectOf(rc)})${words}.`,
    );
    this.rc = bare;
  }
}

/** True for a refusal for one of these reasons. */
export const isRefusal = (error: unknown, ...reasons: (keyof typeof TPM_RC)[]): error is TpmRefusal =>
  error instanceof TpmRefusal && reasons.some((reason) => TPM_RC[reason] === error.rc);
