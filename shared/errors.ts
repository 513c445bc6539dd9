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

/** Told as an event alone; no call ever fails with it. */
const notice = (meaning: string, remedy: string): CatalogueEntry => entry(500, meaning, remedy);

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

  "policy.signature-invalid": entry(
    400,
    "The power policy is not signed by a trusted key.",
    "Check the directive key of the control plane against the trust root.",
  ),
  "policy.wrong-audience": entry(
    400,
    "The power policy is meant for another device.",
    "Check the broker: policies were mixed up.",
  ),
  "policy.replayed": entry(
    409,
    "The power policy is older than one that the device has already accepted.",
    "Nothing: the newer policy stands.",
  ),
  "policy.expired": entry(
    400,
    "The power policy has expired.",
    "Check the clocks; the control plane will issue a newer one.",
  ),
  "power.restricted": notice(
    "Heat, power or the supply made the device do less.",
    "Check cooling, surroundings and supply of the box; the limits are in its box.json. It goes back by itself.",
  ),
  "power.eased": notice(
    "Heat, power and the supply allow the device more again.",
    "Nothing: the level fell by itself.",
  ),
  "power.deferred": notice(
    "Best-effort work waits for a cheap or green window.",
    "Wait for the window, change the power policy, or ask with a higher priority.",
  ),
  "power.resumed": notice(
    "Best-effort work runs again.",
    "Nothing: a window opened, or the policy changed or ended.",
  ),
  "energy.invalid": entry(
    400,
    "The energy price, factor or period cannot be used.",
    "The message names the member; prices are per kilowatt hour, carbon is grams of CO2 per kilowatt hour.",
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
  "model.placement": entry(
    422,
    "Less of the model runs on its execution provider than the variant asks for.",
    "Lower minPlacement of the variant, or build one whose operators the provider has.",
  ),
  "model.none-qualifies": entry(
    422,
    "No variant that fits this device met the objective of the release when it was measured.",
    "Read the reasons in the message; add a variant, or lower the floors.",
  ),
  "model.chosen": notice("A variant was chosen by measurement.", "Nothing: the message tells the numbers."),
  "runtime.start-failed": entry(
    503,
    "The external runtime of an execution provider could not be started or did not become ready.",
    "Run its command from box.json by hand and look at what it prints.",
    true,
  ),
  "runtime.crashed": entry(
    503,
    "The server of an external runtime ended by itself.",
    "It is started again with its runner; if it repeats, look at what it printed.",
    true,
  ),
  "runtime.hung": entry(
    503,
    "The server of an external runtime did not answer in time and was killed.",
    "It is started again with its runner; if it repeats, look at what it printed.",
    true,
  ),
  "runtime.protocol": entry(
    502,
    "The server of an external runtime answered otherwise than Open Inference Protocol v2 says.",
    "Check its version and that it serves the model with the names and types of the golden set.",
  ),
  "model.reference-invalid": entry(
    422,
    "The reference set of a variant cannot be read, so what the model sees is not watched for drift.",
    "Build the reference set with the variant again; the model serves without it.",
  ),
  "model.drift": notice(
    "What a model sees or says differs from its reference for several windows of time.",
    "Look at `muster drift show`; check the sensor and its surroundings, then train on what it sees now.",
  ),
  "model.drift-ended": notice(
    "What a model sees and says is like its reference again.",
    "Nothing: the windows of late did not differ.",
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

  "shadow.disagrees": entry(
    422,
    "The candidate release disagreed with the live one on too much of the real traffic.",
    "See `muster rollout shadow`; release a mended version, or lower minAgreementPercent.",
  ),
  "shadow.no-memory": entry(
    503,
    "The box has too little free memory to run a candidate release beside the live one.",
    "Free memory, lower shadowReserveMib on the box, or roll out without a shadow.",
    true,
  ),
  "shadow.report-invalid": entry(
    400,
    "A shadow report is not signed by the key of its device, or is about another one.",
    "Nothing of it was stored; look at the device and its clone, if there is one.",
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
  "runner.next-provider": entry(
    503,
    "A runner kept failing; its models run on the next execution provider now.",
    "Look at the reason and at driver and device of the first provider; the first choice is tried again by itself.",
    true,
  ),
  "runner.next-variant": entry(
    503,
    "A runner kept failing; another variant of its models runs now.",
    "Look at the reason; the first choice is tried again by itself.",
    true,
  ),
  "runner.previous-version": entry(
    503,
    "A runner kept failing; the version of the previous release runs now.",
    "Roll back or release a mended version; the first choice is tried again by itself.",
    true,
  ),
  "runner.safe": entry(
    503,
    "A runner kept failing; only what the cascades of its models fall back to answers now.",
    "Roll back or release a mended version; the first choice is tried again by itself.",
    true,
  ),
  "runner.gave-up": entry(
    503,
    "A runner kept failing and there is nothing left to fall back to; its models are not served.",
    "Roll back or release a mended version; the first choice is tried again by itself, less and less often.",
    true,
  ),
  "runner.restored": notice(
    "The first choice of a release runs again.",
    "Nothing: if it fails again, the device goes back at once.",
  ),
  "runner.recycled": notice(
    "A runner was replaced by a fresh one without an interruption.",
    "Nothing; if it repeats for lack of memory, raise runnerMemoryMib or look for a leak in a custom operator.",
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
  "example.invalid": entry(
    400,
    "A hard example does not have the agreed shape, or not the digest that was announced.",
    "Update the agent; the example was not stored.",
  ),
  "example.too-large": entry(
    413,
    "A hard example is larger than the control plane takes.",
    "Keep summaries instead of inputs, or raise exampleMib.",
  ),
  "example.quota": entry(
    429,
    "The control plane keeps as many hard examples as it may, of this device or in all.",
    "Download them and delete them, or raise exampleDeviceMib and exampleTotalMib; devices keep theirs meanwhile.",
    true,
  ),
  "example.not-kept": entry(
    507,
    "A hard example could not be kept on the device.",
    "Check the disk of the box; inference and results are not concerned.",
    true,
  ),
  "example.refused": entry(
    422,
    "The control plane refused a hard example for good.",
    "The device deleted it; update the agent or the control plane.",
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
  "inference.expired": entry(
    504,
    "The request waited until its timeout could not be kept any more.",
    "Give it more time or a higher priority, or send fewer.",
    true,
  ),
  "inference.deferred": entry(
    503,
    "Best-effort requests wait for cooler, cheaper or greener times.",
    "Send it again when Retry-After says, or with a higher priority.",
    true,
  ),
  "inference.cancelled": entry(
    499,
    "The caller went away before the request was computed.",
    "Nothing; send it again if the answer is wanted still.",
    true,
  ),

  "pipeline.unfit": entry(
    422,
    "A step of the pipeline does not fit what comes before it, or the model.",
    "The sentence names the step; docs/pipelines.md says what each takes and makes.",
  ),
  "media.invalid": entry(
    400,
    "The picture or signal cannot be decoded, or is not what the pipeline of the model takes.",
    "Send a whole JPEG, PNG or signal as docs/pipelines.md says.",
  ),
  "media.too-large": entry(
    413,
    "The picture or signal has more pixels or samples than the pipeline of the model allows.",
    "Send a smaller one, or raise maxPixels in the release.",
  ),
  "media.unsupported": entry(
    415,
    "The model takes no body of this content type.",
    "Send tensors, or what the pipeline of its release decodes.",
  ),
  "source.rejected": entry(
    422,
    "The runner refused what a source brought, for good.",
    "Compare what the source brings with the pipeline of the model.",
  ),
  "source.dropped": entry(
    507,
    "A source brought more than could be worked off, so some of it was dropped by its rule.",
    "Lower its rate, raise its queue, or choose a faster variant.",
    true,
  ),
  "source.unreachable": entry(
    502,
    "A source cannot be read.",
    "Check its folder, URL or broker, and its credentials; it is tried again and again.",
    true,
  ),
  "sink.undelivered": entry(
    502,
    "A sink did not take a result.",
    "Check its address and secret. The result is in the outbox in any case.",
    true,
  ),
  "sink.refused": entry(
    502,
    "A sink refused a result for good.",
    "Read what it answered and mend it. The result is in the outbox in any case.",
  ),
  "feeder.crashed": entry(
    503,
    "The process of the sources and sinks ended by itself or hung.",
    "It is started again; if it repeats, look at the log of the agent.",
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
    "The text is no window of the week.",
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
  /** When it is worth trying again, where that is known, whole seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message?: string, options?: { cause?: unknown; retryAfterSeconds?: number }) {
    super(message ?? catalogue[code].meaning, options);
    this.name = "MusterError";
    this.code = code;
    this.retryAfterSeconds = options?.retryAfterSeconds;
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
