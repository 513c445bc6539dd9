import { type CatalogueEntry, catalogue } from "@muster/shared/errors";
import { Command } from "@muster/shared/protocol/command";
import {
  ActivateRequest,
  ActivationChallenge,
  DEVICE_API,
  EnrollRequest,
  EnrollResponse,
  Problem,
} from "@muster/shared/protocol/device-api";
import { Challenge, EvidenceMessage } from "@muster/shared/protocol/evidence";
import { Ack, Batch, Birth, Heartbeat, StateMessage, Will } from "@muster/shared/protocol/messages";
import { GoldenSet, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { PowerPolicy } from "@muster/shared/protocol/power-policy";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { DOWN_CHANNELS, downTopic, UP_CHANNELS, upTopic } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import { Directive } from "@muster/shared/trust/directive";
import type { TSchema } from "typebox";
import { schemaTable } from "./schema-table.ts";

interface Section {
  title: string;
  text: string;
  schema: TSchema;
}

const UP: Section[] = [
  {
    title: "birth",
    schema: Birth,
    text: "QoS 1. First message of a session: who speaks, with what hardware, what runs, where its outbox stands.",
  },
  {
    title: "state",
    schema: StateMessage,
    text: "QoS 1. Reported state, whole, whenever it changes. An older `seq` of the same session is ignored.",
  },
  {
    title: "heartbeat",
    schema: Heartbeat,
    text: "QoS 0. Health and sums since the previous heartbeat. Histograms with equal edges add up.",
  },
  {
    title: "batch",
    schema: Batch,
    text: "QoS 1. Outbox records in ascending `seq`. They may come again; `(device, outbox, seq)` names a record.",
  },
  {
    title: "evidence",
    schema: EvidenceMessage,
    text: "QoS 1. One link of the evidence chain, signed by the device over `muster/evidence/v1`, a line feed and the canonical JSON of `payload`; see docs/attestation.md.",
  },
  { title: "will", schema: Will, text: "QoS 1. Last will. The will of an old session is ignored." },
];

const DOWN: Section[] = [
  {
    title: "desired",
    schema: Directive,
    text: "QoS 1, retained. The signed directive. The signature is Ed25519 over `muster/directive/v1`, a line feed and the canonical JSON (RFC 8785) of `payload`; the key must be listed in the TUF root.",
  },
  {
    title: "policy",
    schema: PowerPolicy,
    text: "QoS 1, retained. When this device may do best-effort work. Signed as a directive is, over `muster/power-policy/v1`; a device keeps the newest generation, and after `notAfter` nothing binds.",
  },
  {
    title: "challenge",
    schema: Challenge,
    text: "QoS 1. Asks for evidence over a nonce that is good for one answer in this session.",
  },
  {
    title: "ack",
    schema: Ack,
    text: "QoS 1. Records up to `upTo` are stored. Only this lets a device forget them; a PUBACK does not.",
  },
  {
    title: "command",
    schema: Command,
    text: "QoS 1, retained until the device told how it went; an empty message takes it away. Signed as a directive is, over `muster/command/v1`. A device stores the id before it acts and carries each out once. `wipe`: it erases what the fleet gave, tells `command.wiping` and `command.wiped` as events, and ends.",
  },
];

const HTTPS: Section[] = [
  {
    title: `POST ${DEVICE_API.enroll}`,
    schema: EnrollRequest,
    text: "Join token and certificate request. No client certificate.",
  },
  {
    title: "Answer to enroll",
    schema: EnrollResponse,
    text: "Certificate, CA, broker address and the TUF root to pin. A request with `tpm` is answered by a challenge first.",
  },
  {
    title: "Challenge of enrollment",
    schema: ActivationChallenge,
    text: "Only the TPM with both keys of the request opens it. Good for one try until `notAfter`.",
  },
  {
    title: `POST ${DEVICE_API.activate}`,
    schema: ActivateRequest,
    text: "TLS 1.3. `proof` is HMAC-SHA256, by the secret of the challenge, of `muster/enroll/v1`, a line feed and the canonical JSON (RFC 8785) of `{akName, challenge, ekName, exporter, sealingKey, signingKey, tlsKey, token}`, all hex but for the ids and `tlsKey` (`sha256:…` of the SubjectPublicKeyInfo); `exporter` is 32 bytes of keying material of this connection with the label `EXPORTER-muster-enroll` and an empty context. Answered as `enroll` without `tpm`.",
  },
  { title: "Problem", schema: Problem, text: "Every error is an RFC 9457 problem document." },
];

const FILES: Section[] = [
  {
    title: "Release manifest",
    schema: ReleaseManifest,
    text: "TUF target `releases/<name>/<version>.json`, stored as canonical JSON; its SHA-256 is the release digest.",
  },
  {
    title: "Release spec",
    schema: ReleaseSpec,
    text: "`release.json`, what an operator writes and keeps in git.",
  },
  {
    title: "Golden set",
    schema: GoldenSet,
    text: "Inputs and the outputs that a variant must reproduce on the device before it serves.",
  },
  {
    title: "Reference set",
    schema: ReferenceSet,
    text: "Distributions of inputs and outputs over the calibration set.",
  },
];

const sections = (list: readonly Section[]): string =>
  list.map(({ title, text, schema }) => `### ${title}\n\n${text}\n\n${schemaTable(schema)}\n`).join("\n");

const errorTable = (): string =>
  [
    "| code | HTTP | meaning | remedy | retry |",
    "|---|---|---|---|---|",
    ...Object.entries<CatalogueEntry>(catalogue).map(
      ([name, entry]) =>
        `| \`${name}\` | ${entry.status} | ${entry.meaning} | ${entry.remedy} | ${entry.retryable ? "yes" : "no"} |`,
    ),
  ].join("\n");

/** `docs/protocol.md`, from the schemas that validate. */
export const protocolDocument = (): string => `# Protocol v1

Generated from the schemas by \`npm run docs\`; a test compares. Do not edit by hand.

MQTT 3.1.1 over TLS with a client certificate. Client id, certificate common name and the \`{device}\` of every
topic are the same. A payload has at most ${MAX_PAYLOAD_BYTES} bytes, is JSON, and carries its version as \`v\`.
Members that a schema does not know are refused. Times are milliseconds since 1970 by the sender's clock.

A device may publish, never retained, on ${UP_CHANNELS.map((name) => `\`${upTopic("{device}", name)}\``).join(", ")},
and may subscribe to ${DOWN_CHANNELS.map((name) => `\`${downTopic("{device}", name)}\``).join(", ")} or to all of
these by \`+\`.

## Up: device to control plane

${sections(UP)}
## Down: control plane to device

${sections(DOWN)}
## HTTPS: the slow path, metadata and artifacts

${Object.entries(DEVICE_API)
  .map(([name, path]) => `- \`${path}\` ${name}`)
  .join("\n")}

All but \`ca\`, \`enroll\` and \`activate\` ask for the device's client certificate. \`desired\` and \`policy\` answer the newest document with an
ETag, 304 or 204. TUF metadata (specification 1.0.34, consistent snapshots) lies under \`tuf\`; artifacts answer ranges.

${sections(HTTPS)}
## Documents

${sections(FILES)}
## Errors

${errorTable()}
`;
