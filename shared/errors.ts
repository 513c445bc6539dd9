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

  "enrollment.assurance-too-low": entry(
    403,
    "The join token asks for a surer identity than this device could prove.",
    "Check its TPM and `muster trust ek-root list`; a token made with --min-assurance software takes any device.",
  ),
  "enrollment.tpm-taken": entry(
    409,
    "Another device of the fleet is bound to this TPM.",
    "If the box got new keys, run `muster device replace` for the old record and enroll with that token.",
  ),
  "enrollment.tpm-revoked": entry(
    403,
    "This TPM belonged to a device that was revoked.",
    "If the box is trusted again, run `muster device replace` for the old record and enroll with that token.",
  ),
  "enrollment.tpm-changed": entry(
    403,
    "This device is bound to a TPM, and the request comes without it or with another one.",
    "Its keys may have been copied. After a change of the board run `muster device replace` and enroll anew.",
  ),
  "enrollment.ek-certificate-invalid": entry(
    403,
    "The certificate of the endorsement key was not signed by the vendor that it names.",
    "Somebody pretends to have another TPM: look at the box.",
  ),
  "enrollment.ek-root-invalid": entry(
    400,
    "This is not the certificate of a TPM vendor's authority.",
    "Give one CA certificate in PEM or DER, of the vendor's root or of an authority below it.",
  ),
  "enrollment.challenge-unknown": entry(
    409,
    "There is no such challenge, or it was answered before.",
    "Enroll again: each challenge is good for one answer.",
    true,
  ),
  "enrollment.challenge-expired": entry(
    409,
    "The answer to the challenge came too late.",
    "Enroll again; a TPM that takes minutes needs a look.",
    true,
  ),
  "enrollment.challenges-full": entry(
    429,
    "Too many enrollments are under way.",
    "Try again in a minute.",
    true,
  ),
  "enrollment.proof-invalid": entry(
    403,
    "The proof does not fit the challenge, the keys or this connection.",
    "Enroll again without anything in between; if it repeats, somebody sits in between or plays a TPM.",
  ),
  "enrollment.keys-sealed": entry(
    500,
    "The keys of this device are sealed by a TPM that is not there or does not open them.",
    "Give back the TPM (--tpm). If it was cleared or changed, move the identity directory away and enroll with the token of `muster device replace`.",
  ),
  "enrollment.keys-closed": entry(
    503,
    "The keys of this device are not open yet.",
    "The agent opens them by itself once its TPM answers; `muster-agent status` says what keeps it from that.",
    true,
  ),
  "enrollment.replaced": entry(
    409,
    "The device that this token stands in for is not there any more.",
    "Create a token with `muster token create`.",
  ),

  "device.quarantined": notice(
    "The device is in quarantine: it may speak, and gets nothing new.",
    "Look into it; `muster device release` ends the quarantine, `muster device revoke` puts it out.",
  ),
  "device.released": notice("The quarantine of the device has ended.", "Nothing: it gets what it is due."),
  "device.replaced": notice(
    "Another board took over the place of the device.",
    "Nothing: the old record is revoked and keeps its history.",
  ),
  "agent.decommissioned": entry(
    409,
    "This box was taken out of its fleet and wiped.",
    "To use it again, remove the file that the message names and enroll it with a new join token.",
  ),

  "command.signature-invalid": entry(
    400,
    "The command is not signed by a trusted key.",
    "Check the directive key of the control plane against the trust root.",
  ),
  "command.wrong-audience": entry(
    400,
    "The command is meant for another device.",
    "Check the broker: commands were mixed up.",
  ),
  "command.expired": entry(400, "The command has expired.", "Check the clocks, and give the command again."),
  "command.replayed": entry(
    409,
    "The device has taken up this command before.",
    "Nothing: a command is carried out once.",
  ),
  "command.wiping": notice(
    "The device was told to wipe itself and begins.",
    "Nothing: it tells what it erased before it goes.",
  ),
  "command.wiped": notice(
    "The device has erased its keys, models, results and secrets.",
    "Nothing: it counts as revoked from now on.",
  ),

  "audit.tampered": entry(
    409,
    "The audit log is not as it was written.",
    "Treat the control plane as broken into: keep its disk, and compare the log with exports and backups.",
  ),
  "audit.export-invalid": entry(
    400,
    "The file is no export of an audit log.",
    "Make one with `muster audit export`.",
  ),

  "key.sealed-invalid": entry(
    500,
    "A sealed file is not what was sealed: it is damaged, cut off, put together or no sealed file at all.",
    "Nothing of it was used. Seal the file again and make a new release.",
  ),
  "key.wrong": entry(
    500,
    "This is another key than the one that the file was sealed with.",
    "Look which key the release names, and whether that key was replaced.",
  ),
  "key.unknown": entry(
    404,
    "There is no such model key.",
    "See `muster model-key list`; a release that names a key which is not kept here cannot be opened by any device.",
  ),
  "key.exists": entry(
    409,
    "There is another key with this id already.",
    "Seal with a new key: an id names one key for ever.",
  ),
  "key.withdrawn": entry(
    403,
    "The key was withdrawn: it is given to no device any more.",
    "Make a new release that is sealed with another key.",
  ),
  "key.withheld": entry(
    403,
    "The device gets no model key because it does not pass attestation.",
    "See `muster attestation show`; it gets the key once its evidence passes.",
    true,
  ),
  "key.not-entitled": entry(
    403,
    "No release that the device was told needs this key.",
    "Nothing, unless a rollout should have told it: keys go only to devices that are to run the model.",
  ),
  "key.no-recipient": entry(
    409,
    "The device has no sealing key to which a model key could be sealed.",
    "Enroll the device again with an agent of this version.",
  ),
  "key.not-unwrapped": entry(
    500,
    "A stored model key cannot be opened with the master key.",
    "Put the master key file back with which it was stored.",
  ),
  "key.lease-invalid": entry(
    403,
    "A key lease is not signed by the control plane, or is for another device or key.",
    "It was not used. Look at who answers in place of the control plane, and at the clocks.",
  ),
  "key.lease-ended": entry(
    403,
    "The lease of the model key has ended: a sealed model that is not loaded cannot be loaded any more.",
    "Connect the device to the control plane; it renews the lease by itself. A longer lease is a setting there.",
    true,
  ),
  "key.unavailable": entry(
    503,
    "The device holds no lease of the model key, and the control plane cannot be reached to get one.",
    "Connect the device to the control plane; the update is tried again.",
    true,
  ),
  "key.not-for-runtime": entry(
    400,
    "A sealed model cannot be given to a server of its own: it would have to lie on the disk in the open.",
    "Leave providers that are servers out of what a sealed variant requires.",
  ),

  "tpm.malformed": entry(
    400,
    "A structure of a TPM cannot be read.",
    "Look at the agent and the TPM of the box: what it sent is broken, cut off or no TPM 2.0 structure.",
  ),
  "tpm.key-unfit": entry(
    422,
    "A key of a TPM does not have the attributes that its use asks for.",
    "Let the agent make its keys anew; a key that may be copied or used for anything else proves nothing.",
  ),
  "attestation.log-malformed": entry(
    400,
    "A boot log or the list of IMA cannot be read.",
    "Look at the firmware and kernel of the box: its log is broken, cut off or larger than is taken.",
  ),
  "attestation.quote-invalid": entry(
    422,
    "A quote does not prove what it was to prove.",
    "The sentence says which check failed; if it repeats, look at the box: somebody may answer for it.",
  ),

  "attestation.nonce-unknown": entry(
    409,
    "The evidence answers a challenge that was never given, or was given before a restart.",
    "Nothing: the device is asked again. If it repeats, somebody sends old evidence.",
    true,
  ),
  "attestation.nonce-used": entry(
    409,
    "The evidence answers a challenge that was answered before.",
    "Nothing: the device is asked again. If it repeats, somebody sends old evidence.",
    true,
  ),
  "attestation.nonce-expired": entry(
    409,
    "The answer to the challenge came too late.",
    "Nothing: the device is asked again. A TPM that takes minutes needs a look.",
    true,
  ),
  "attestation.nonce-foreign": entry(
    409,
    "The evidence answers a challenge of another session.",
    "Nothing: the device is asked again in its new session.",
    true,
  ),
  "attestation.signature-invalid": entry(
    401,
    "The evidence is not signed by the key that the device was enrolled with.",
    "Look at the box: its keys were changed, or somebody speaks for it.",
  ),
  "attestation.evidence-foreign": entry(
    403,
    "The evidence names another device than the one that sent it.",
    "Look at both boxes: one of them speaks for the other.",
  ),
  "attestation.overloaded": entry(
    503,
    "More evidence waits to be appraised than is taken.",
    "Nothing: the device is asked again.",
    true,
  ),
  "attestation.no-evidence": entry(
    404,
    "There is no evidence of this device that could be used.",
    "Wait until it has answered a challenge, or run `muster attestation refresh DEVICE`.",
    true,
  ),
  "attestation.reference-invalid": entry(
    400,
    "The reference set cannot be used.",
    "Compare it with firmware-manifests/reference-set.schema.json; the sentence names the place.",
  ),
  "attestation.reference-unsigned": entry(
    403,
    "The reference set is not signed by an offline key of this fleet.",
    "Sign it with the targets key: `muster reference import FILE --keys DIR`.",
  ),
  "attestation.reference-old": entry(
    409,
    "A newer version of this reference set is in force.",
    "Raise `sequence` in the file, let it be reviewed, sign it and import it again.",
  ),
  "attestation.policy-invalid": entry(
    400,
    "The attestation policy cannot be used.",
    "Compare it with docs/attestation.md.",
  ),

  "attestation.appraised": notice("The evidence was appraised.", "Nothing."),
  "attestation.forked": notice(
    "Two different pieces of evidence hold the same place in the chain of the device: its key has two holders, or an older state of its disk was put back.",
    "Look for a second box. If it is one box whose disk was restored, run `muster attestation clear DEVICE`; else revoke or replace it.",
  ),
  "attestation.cleared": notice("An operator cleared a fork: the chain begins anew.", "Nothing."),
  "attestation.chain-gap": notice(
    "Links of the evidence chain of the device are missing.",
    "They may still come with the backlog; what the device did in that time is not proven otherwise.",
  ),
  "attestation.chain-restarted": notice(
    "The device began its chain of evidence anew.",
    "Nothing, if its database was lost; else look at the box.",
  ),
  "attestation.quote-incomplete": notice(
    "The newest quote does not cover all PCRs that policy asks for.",
    "Nothing: the next answer will. If not, the TPM of the box lacks the bank.",
  ),
  "attestation.offline-too-long": notice(
    "The device was offline for longer than policy takes on its own word.",
    "Nothing: its next answer to a challenge settles it.",
  ),
  "attestation.tpm-missing": notice(
    "The device was enrolled with a TPM, and its evidence comes without.",
    "Look at the box: its TPM is switched off or broken, or a copy of its disk runs elsewhere.",
  ),
  "attestation.tpm-unbound": notice(
    "The evidence carries a quote, but the device was enrolled without a TPM.",
    "Enroll it anew to bind it to its TPM.",
  ),
  "attestation.tpm-foreign": notice(
    "The quote comes from another TPM than the one that the device was enrolled with.",
    "Look at the box. After a change of the board use `muster device replace`.",
  ),
  "attestation.clock-regressed": notice(
    "The clock or the restart counters of the TPM went back.",
    "Look at the box: a TPM never does that; a copied virtual TPM does.",
  ),
  "attestation.power-cut": notice("The box lost power and started again.", "Nothing."),
  "attestation.restarted": notice("The box was restarted.", "Nothing."),
  "attestation.resumed": notice("The box was suspended and woke up.", "Nothing."),
  "attestation.disk-put-back": notice(
    "The state on the disk is older than the hardware counter of the TPM says.",
    "If you restored a backup, run `muster attestation clear DEVICE`; else look who was at the box.",
  ),
  "attestation.counter-replaced": notice(
    "The counter in the hardware knows fewer starts than the disk: it is another counter.",
    "Find out whether the TPM was cleared or the mainboard changed; counting goes on from here.",
  ),
  "attestation.log-unreadable": notice(
    "The boot log or the list of IMA is there and cannot be read.",
    "Let the user of the agent read the files below /sys/kernel/security; evidence goes on without them.",
  ),
  "attestation.pcr-zero": notice(
    "A PCR that the firmware must extend is all zeros: nothing was measured.",
    "Update the firmware or switch measured boot on; without it the quote proves nothing about the boot.",
  ),
  "attestation.no-reference": notice(
    "No reference set is for devices like this: what its firmware measured is not compared with anything.",
    "Run `muster reference learn DEVICE` on a box that you trust, let the file be reviewed, and import it.",
  ),
  "attestation.firmware-unknown": notice(
    "The firmware measured something that no reference set lists.",
    "If you updated the firmware: learn and import the new values. If not: look at the box.",
  ),
  "attestation.firmware-changed": notice(
    "The firmware measured something else than before.",
    "If you updated the firmware: nothing. If not: look at the box.",
  ),
  "attestation.firmware-updated": notice(
    "The firmware changed from one state that a reference set lists to another.",
    "Nothing.",
  ),
  "attestation.tpm-firmware-changed": notice(
    "The firmware of the TPM changed.",
    "Nothing, if you updated it.",
  ),
  "attestation.tpm-firmware-old": notice(
    "The firmware of the TPM is older than the reference set allows.",
    "Update the firmware of the TPM.",
  ),
  "attestation.log-mismatch": notice(
    "The boot log does not explain the PCRs that were quoted.",
    "Look at the box: its log was changed, or its firmware logs wrongly.",
  ),
  "attestation.agent-unknown": notice(
    "The agent on the device is none that a reference set lists.",
    "If you built or updated it, add its digest to the reference set; else install the agent anew.",
  ),
  "attestation.agent-unlisted": notice(
    "No reference set lists agents: the digest of the agent is not compared with anything.",
    "List the digests of your agents in a reference set.",
  ),
  "attestation.agent-old": notice("The agent is older than the reference set allows.", "Update the agent."),
  "attestation.measurement-log": notice(
    "The list of what the agent measured does not give the value of its PCR.",
    "Look at the box: something else used that PCR, or the agent was replaced while it ran.",
  ),
  "attestation.measurement-reset": notice(
    "The agent's PCR began anew within one boot of the box.",
    "Look at the box: only its system can reset that PCR.",
  ),
  "attestation.component-unknown": notice(
    "Something runs that none of the releases of the device contains.",
    "Look at the box: its store was changed.",
  ),
  "attestation.release-unexpected": notice(
    "The device runs a signed release that it was not told to run.",
    "Look at its timeline; a new rollout brings it to what it should run.",
  ),
  "attestation.update-under-way": notice("The device is changing to what its rollout told it.", "Nothing."),
  "attestation.ima-mismatch": notice(
    "The list of files that the kernel measured does not give the value of PCR 10.",
    "Look at the box: its list was changed.",
  ),
  "attestation.ima-incomplete": notice(
    "Not all of the kernel's list of files has come yet.",
    "Nothing: the rest comes with the next answers.",
  ),
  "attestation.ima-violation": notice(
    "The kernel could not measure a file that was being changed while it was used.",
    "Look which program writes to files that are being executed.",
  ),
  "attestation.ima-unlisted": notice(
    "The system used files that no rule of the reference set allows.",
    "If you updated the system, bring the rules up to date; else look at the box.",
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

  "tpm.unavailable": entry(
    503,
    "The TPM cannot be opened, or the connection to it broke.",
    "Check that it is switched on in the firmware, that /dev/tpmrm0 is there and that the agent is in its group (tss).",
    true,
  ),
  "tpm.timeout": entry(
    504,
    "The TPM did not answer in time.",
    "It is asked again later; where that repeats, restart the box.",
    true,
  ),
  "tpm.busy": entry(503, "The TPM has too much to do.", "It is asked again later.", true),
  "tpm.full": entry(
    507,
    "The TPM has no room for another key, session or counter.",
    "End other programs that use it, or free room with tpm2_flushcontext, tpm2_evictcontrol and tpm2_nvundefine.",
    true,
  ),
  "tpm.locked-out": entry(
    503,
    "The TPM is locked out: too many wrong passwords were tried on it.",
    "Wait (it forgets one try after the other), or reset the lockout with tpm2_dictionarylockout --clear-lockout.",
    true,
  ),
  "tpm.authorization-failed": entry(
    403,
    "The TPM wants a password that the agent does not have.",
    "Muster takes the hierarchies of owner and endorsement without a password; clear theirs, or make the keys persistent.",
  ),
  "tpm.unsupported": entry(
    501,
    "The TPM cannot do this.",
    "Update its firmware; where that does not help, run the agent with --tpm off.",
  ),
  "tpm.failed": entry(
    500,
    "The TPM refused a command.",
    "The sentence has its own code and words; update the firmware or report it.",
  ),
  "tpm.credential-refused": entry(
    403,
    "The TPM does not open this credential: it was made for another TPM or another attestation key.",
    "Enroll again; if it repeats, the endorsement key that was sent is not the one of this box.",
  ),
  "tpm.policy-failed": entry(
    403,
    "The TPM does not open what was sealed: its PCRs are not what they were then.",
    "The box started other firmware or another system; start the one of then, or enroll again.",
  ),
  "tpm.seal-foreign": entry(
    403,
    "What was sealed belongs to another TPM, or this one was cleared since.",
    "Put the disk back into its own box, or enroll again.",
  ),
  "tpm.seal-broken": entry(
    422,
    "What was sealed is damaged.",
    "Nothing was opened; restore the file, or enroll again.",
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

  "access.denied": entry(
    403,
    "This operator may not do this.",
    "Ask an admin for the role; docs/people.md says what each role may do.",
  ),
  "access.csrf": entry(
    403,
    "The change did not come from the page itself.",
    "Reload the page and try again; scripts use a token instead of the cookie.",
  ),
  "access.sign-in-off": entry(
    404,
    "This control plane knows no identity provider.",
    "Sign in with an operator token, or set oidcFile; docs/people.md says how.",
  ),
  "access.sign-in-failed": entry(
    403,
    "The sign-in at the identity provider did not come to an end.",
    "Begin it anew; where it fails again, the log of the control plane says why.",
  ),
  "access.unmapped": entry(
    403,
    "The identity provider knows this person, and no rule here gives him a role.",
    "Have an admin add a rule for one of the claims to the file of oidcFile.",
  ),
  "access.provider-unreachable": entry(
    502,
    "The identity provider cannot be reached or does not answer as one.",
    "Check issuer, network and its certificate; operator tokens go on working.",
    true,
  ),

  "operator.last-admin": entry(
    409,
    "Nobody could administer this control plane any more.",
    "Create another operator with `admin at *` and a token without an end first.",
  ),

  "secret.withheld": entry(
    403,
    "The device gets no secrets: it is withheld or in quarantine.",
    "Ask `muster device show` why; it gets them once it passes again.",
    true,
  ),
  "secret.no-sealing-key": entry(
    409,
    "The device has registered no key that secrets could be sealed to.",
    "Enroll it again with an agent of this version.",
  ),
  "secret.invalid": entry(
    400,
    "The secret cannot be kept as it was given.",
    "Names are a-z, 0-9 and dashes; a value has 1 byte to 64 KiB.",
  ),
  "secret.key-missing": entry(
    500,
    "The master key that secrets were stored under is not there.",
    "Put the file back beside the database, or set the secrets anew.",
  ),
  "secret.unreadable": entry(
    500,
    "A sealed secret does not open.",
    "It was damaged or is for another device: set it anew.",
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
