/**
 * The error catalogue. A code is stable for ever: operators script against it. `meaning` says what happened,
 * `remedy` what the reader can do, `retryable` whether the same call may succeed later, `status` the HTTP
 * status that the API answers (RFC 9457).
 */
export interface CatalogueEntry {
  readonly meaning: string;
  readonly remedy: string;
  readonly retryable: boolean;
  readonly status: number;
}

const entry = (status: number, meaning: string, remedy: string, retryable = false): CatalogueEntry => ({
  status,
  meaning,
  remedy,
  retryable,
});

export const catalogue = {
  "internal.unexpected": entry(
    500,
    "Something failed that was not foreseen.",
    "Look at the log of the process and report it.",
    true,
  ),

  "request.invalid": entry(
    400,
    "The request does not have the shape that this call takes.",
    "Compare it with the schema in the API documentation.",
  ),
  "request.too-large": entry(
    413,
    "The body is larger than this call takes.",
    "Send less, or raise the limit in the settings.",
  ),
  "request.unauthorized": entry(
    401,
    "There is no operator token, or it is not known.",
    "Run `muster login`, or send `Authorization: Bearer TOKEN`.",
  ),
  "request.not-found": entry(
    404,
    "There is nothing at this address.",
    "Check the name; the list commands show what exists.",
  ),
  "request.method-not-allowed": entry(
    405,
    "This address does not take this method.",
    "The Allow header lists the methods that it takes.",
  ),
  "request.conflict": entry(
    409,
    "The state of the resource does not allow this.",
    "Read its state and decide again.",
  ),
  "request.rate-limited": entry(
    429,
    "Too many requests from this address.",
    "Wait as long as Retry-After says.",
    true,
  ),
  "request.timeout": entry(
    504,
    "The other side did not answer in time.",
    "Check the network and try again.",
    true,
  ),
  "request.unreachable": entry(
    502,
    "The other side could not be reached.",
    "Check the address, the network and that the process runs.",
    true,
  ),

  "settings.invalid": entry(
    400,
    "A setting or command-line option has a value that cannot be used.",
    "Run the command with --help; it lists settings and their defaults.",
  ),

  "storage.full": entry(
    507,
    "The disk has no room for this.",
    "Free space or raise the limit; what is stored stays as it is.",
    true,
  ),
  "storage.broken": entry(
    500,
    "The database cannot be read.",
    "Restore a backup; an agent has moved the file aside with the suffix .broken and goes on with a new one.",
  ),
  "storage.newer": entry(
    500,
    "The database was written by a newer version.",
    "Start the newer version, or restore a backup made before the upgrade.",
  ),
  "storage.in-use": entry(
    409,
    "Another process works in this data directory.",
    "End the other process, or choose another data directory.",
    true,
  ),

  "agent.running": entry(
    409,
    "Another agent works on this data directory.",
    "Stop it first, or choose another directory with --data.",
  ),

  "token.invalid": entry(
    401,
    "The join token is not known or its secret is wrong.",
    "Create another with `muster token create`.",
  ),
  "token.expired": entry(401, "The join token has expired.", "Create another with `muster token create`."),
  "token.spent": entry(
    401,
    "The join token was used as often as it allows.",
    "Create another with `muster token create --uses N`.",
  ),
  "token.revoked": entry(401, "The join token was revoked.", "Create another with `muster token create`."),

  "enrollment.csr-invalid": entry(
    400,
    "The certificate request is malformed, badly signed or has a key that is not accepted.",
    "Let the agent make a new key: RSA of 2048 bits or more.",
  ),
  "enrollment.device-revoked": entry(
    403,
    "This device was revoked.",
    "If it is trusted again, give it a new key and a new join token.",
  ),
  "enrollment.name-taken": entry(
    409,
    "Another device of the site has this name.",
    "Give the device another name, or none: then its id is its name.",
  ),
  "enrollment.pin-mismatch": entry(
    403,
    "The server does not have the CA that the join token names.",
    "Check the server address; somebody may sit in between.",
  ),
  "enrollment.root-mismatch": entry(
    403,
    "The trust root that the server offers is not the one that the join token names.",
    "Check the server; do not enroll until the roots agree.",
  ),
  "enrollment.missing": entry(
    409,
    "This device is not enrolled yet.",
    "Run `muster-agent enroll` with a join token.",
  ),

  "certificate.invalid": entry(
    401,
    "The client certificate is missing or was not issued by this fleet's CA.",
    "Enroll the device.",
  ),
  "certificate.expired": entry(
    401,
    "The client certificate has expired.",
    "Check the clock of the device; if it is right, enroll it again.",
  ),
  "certificate.revoked": entry(
    403,
    "The client certificate belongs to a revoked device.",
    "Enroll the device again with a new key if it is trusted.",
  ),

  "certificate.server-untrusted": entry(
    502,
    "The certificate of the server was not issued by the CA that this device has pinned, or not for this address.",
    "Check the server address and its certificate; somebody may sit in between.",
    true,
  ),

  "wire.version-unknown": entry(
    400,
    "The message has a protocol version that is not understood.",
    "Update the older side.",
  ),
  "wire.malformed": entry(
    400,
    "The message is not JSON of the agreed shape.",
    "Update the sender; the message was dropped.",
  ),
  "wire.oversized": entry(
    413,
    "The message is larger than the protocol allows.",
    "Update the sender; the message was dropped.",
  ),
  "wire.unsupported": entry(
    400,
    "The message is of a kind that this side does not serve.",
    "Update the side that dropped it, or do not send it; nothing was changed.",
  ),
  "wire.forbidden-topic": entry(
    403,
    "The device used a topic that is not its own.",
    "Check the device: a correct agent never does this.",
  ),

  "directive.signature-invalid": entry(
    400,
    "The directive is not signed by a trusted key.",
    "Check the directive key of the control plane against the trust root.",
  ),
  "directive.wrong-audience": entry(
    400,
    "The directive is meant for another device.",
    "Check the broker: directives were mixed up.",
  ),
  "directive.replayed": entry(
    409,
    "The directive is older than one that the device has already accepted.",
    "Nothing: the newer directive stands.",
  ),
  "directive.expired": entry(
    400,
    "The directive has expired.",
    "Check the clocks; the control plane will issue a newer one.",
  ),
  "directive.below-floor": entry(
    409,
    "The release is older than the floor that the device has accepted.",
    "Choose a newer release; a floor is never lowered.",
  ),

  "trust.root-invalid": entry(
    400,
    "The trust root is not signed as its predecessor and itself demand.",
    "Sign it with the root keys in force, version by version.",
  ),
  "trust.metadata-invalid": entry(
    400,
    "The release metadata is not signed as the trust root demands, or went backwards.",
    "Sign it again with the keys that the root names, with a higher version.",
  ),
  "trust.metadata-expired": entry(
    409,
    "The release metadata has expired, so nothing new is installed.",
    "Sign fresh metadata, or check the clock of the device.",
    true,
  ),
  "trust.key-missing": entry(
    400,
    "The signing key that this needs is not in the key directory.",
    "Point --keys to the directory made by `muster keys init`.",
  ),
  "trust.uninitialized": entry(
    409,
    "The control plane has no trust root yet.",
    "Run `muster keys init` and `muster trust init`.",
  ),

  "release.manifest-invalid": entry(
    400,
    "The release manifest or spec does not have the agreed shape.",
    "Compare it with docs/protocol.md.",
  ),
  "release.digest-mismatch": entry(
    400,
    "The release does not have the digest that was signed or directed.",
    "Upload the very files that were signed.",
  ),
  "release.unsigned": entry(
    400,
    "The signed release metadata does not list the release.",
    "Sign it with `muster release create`; a device installs nothing else.",
  ),
  "release.exists": entry(
    409,
    "A release of this name and version exists already.",
    "Releases never change: choose a new version.",
  ),
  "release.artifact-missing": entry(
    409,
    "An artifact of the release is not in the store.",
    "Upload it; `muster release create` does so by itself.",
    true,
  ),
  "release.no-variant": entry(
    409,
    "No variant of a model of the release can run on this device.",
    "Add a variant for its hardware class, or target other devices.",
  ),
  "release.quarantined": entry(
    409,
    "The release is in quarantine for this hardware class after a failed rollout.",
    "Release a mended version.",
  ),

  "artifact.corrupted": entry(
    422,
    "An artifact does not have the digest or size that was signed.",
    "The device fetches it again; if it repeats, check store and network.",
    true,
  ),
  "artifact.too-large": entry(
    413,
    "An artifact is larger than signed.",
    "Check the store of the control plane.",
  ),
  "download.interrupted": entry(503, "A download was cut off.", "The device resumes it by itself.", true),

  "update.superseded": entry(
    409,
    "A newer directive arrived before this update was done.",
    "Nothing: the newer one is under way.",
  ),
  "update.stuck": entry(
    500,
    "Neither the new nor the previous release could be made to run.",
    "Send a release known to work; a visit may be needed.",
  ),
  "update.attempts-exhausted": entry(
    500,
    "The update failed again and again without an end.",
    "Look at the journal of the device; send a mended release.",
  ),
  "config.invalid": entry(
    422,
    "A config component is not a JSON document.",
    "Mend the document and release again.",
  ),

  "model.load-failed": entry(
    422,
    "The runtime could not load the model.",
    "Check opset, provider and file; build the variant again.",
  ),
  "model.golden-mismatch": entry(
    422,
    "The model does not reproduce its golden outputs on this device.",
    "Check quantization and provider; release a mended variant.",
  ),
  "model.not-found": entry(
    404,
    "There is no model of this name or version here.",
    "GET /v2/repository/index or the server metadata list what is loaded.",
  ),
  "model.not-ready": entry(
    503,
    "The model is not ready to serve.",
    "Wait until its ready endpoint answers 200.",
    true,
  ),
  "probation.latency": entry(
    422,
    "Inference was slower than the release allows.",
    "Release a faster variant, or raise maxP95Ms.",
  ),
  "probation.errors": entry(
    422,
    "More inferences failed than the release allows.",
    "Look at the runner log; release a mended version.",
  ),
  "probation.crashed": entry(
    422,
    "The runner crashed more often than the release allows.",
    "Look at the runner log; release a mended version.",
  ),
  "probation.no-traffic": entry(
    422,
    "Too few inferences were seen before the probation deadline.",
    "Check the application, or lower minInferences.",
  ),

  "runner.crashed": entry(
    503,
    "The runner process ended by itself.",
    "It is started again; if it repeats, the release is rolled back.",
    true,
  ),
  "runner.hung": entry(
    503,
    "The runner did not answer within its deadline and was killed.",
    "It is started again; if it repeats, the release is rolled back.",
    true,
  ),
  "runner.address-taken": entry(
    409,
    "The address of the inference endpoint is in use by another process.",
    "Stop that process or choose another port or socket; the agent tries again by itself.",
    true,
  ),
  "results.dropped": entry(
    507,
    "Results were dropped because they could not be stored in time.",
    "Make room, raise the limit of the outbox, or send less.",
    true,
  ),
  "inference.invalid": entry(
    400,
    "The inference request does not fit the model.",
    "Compare it with the model's metadata endpoint.",
  ),
  "inference.unsupported": entry(
    501,
    "The inference request asks for something that is not supported.",
    "See docs for the supported parts of the Open Inference Protocol.",
  ),
  "inference.failed": entry(500, "The runtime failed while it computed.", "Look at the runner log.", true),
  "inference.overloaded": entry(
    503,
    "The runner has more requests than it may queue.",
    "Send fewer, or wait as long as Retry-After says.",
    true,
  ),

  "outbox.full": entry(
    507,
    "The outbox has reached its limit and this record outranks nothing that could be evicted.",
    "Bring the device online or raise the limit.",
    true,
  ),

  "selector.invalid": entry(
    400,
    "The selector cannot be read.",
    "The sentence says where it stops; docs/selectors.md has the syntax with examples.",
  ),

  "rollout.plan-invalid": entry(
    400,
    "The plan of the rollout cannot be carried out.",
    "Check waves, gates and targets; `--dry-run` shows what they select.",
  ),
  "rollout.no-targets": entry(
    409,
    "The rollout selects no device.",
    "Check the selector; `muster device list` shows labels.",
  ),
  "rollout.transition-invalid": entry(
    409,
    "The rollout is in a state that does not allow this.",
    "Run `muster rollout status`: it shows the state and what can be done.",
  ),
  "rollout.approval-refused": entry(
    403,
    "This operator may not approve this rollout.",
    "Let an operator approve it who neither planned nor submitted it.",
  ),
  "rollout.timed-out": entry(
    409,
    "The device was told to update and did not report an end in time.",
    "Look at the device; it counts as failed.",
    true,
  ),
  "rollout.canceled": entry(409, "The rollout was ended before this device began.", "Nothing."),

  "window.invalid": entry(
    400,
    "The text is no maintenance window.",
    'Write days and times by the clock of the site: "mon-fri 22:00-05:00", "sat,sun 00:00-24:00" or "02:00-05:00".',
  ),
  "freeze.invalid": entry(
    400,
    "The freeze cannot be kept as it was given.",
    "Say an end after the beginning and after now, at most 366 days after the beginning.",
  ),

  "scenario.invalid": entry(
    400,
    "The simulator cannot run this scenario.",
    "Compare it with test/simulator/scenario/schema.ts and the scenarios beside it.",
  ),

  "alert.rule-invalid": entry(
    400,
    "The alert rule cannot be judged as it was given.",
    "Compare it with docs/alerts.md: one signal, one of above and below, a grouping that fits.",
  ),
  "alert.receiver-invalid": entry(
    400,
    "The alert receiver cannot be used as it was given.",
    "Give either a webhook with an http(s) URL, or an e-mail server with sender and recipients.",
  ),
  "alert.undelivered": entry(
    502,
    "The receiver did not take the notification.",
    "Check its address, certificate and secret; `muster alert receiver test` tries again.",
    true,
  ),
  "alert.refused": entry(
    502,
    "The receiver refused the notification for good.",
    "Read what it answered, mend the receiver, then run `muster alert receiver test`.",
  ),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** The only error that crosses module boundaries. `message` is a plain sentence about this very case. */
export class MusterError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message?: string, options?: { cause?: unknown }) {
    super(message ?? catalogue[code].meaning, options);
    this.name = "MusterError";
    this.code = code;
  }

  get remedy(): string {
    return catalogue[this.code].remedy;
  }

  get retryable(): boolean {
    return catalogue[this.code].retryable;
  }

  get status(): number {
    return catalogue[this.code].status;
  }
}

export const isMusterError = (value: unknown, code?: ErrorCode): value is MusterError =>
  value instanceof MusterError && (code === undefined || value.code === code);

/** True for a code of this catalogue: what arrives from outside may be older or newer. */
export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(catalogue, value);

/** Keeps a MusterError as it is and wraps anything else under `code`. */
export const asMusterError = (value: unknown, code: ErrorCode = "internal.unexpected"): MusterError =>
  value instanceof MusterError
    ? value
    : new MusterError(code, value instanceof Error ? value.message : String(value), { cause: value });
