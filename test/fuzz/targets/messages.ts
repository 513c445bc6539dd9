import { decodeUp } from "@muster/control-plane/ingest/decode";
import { Command } from "@muster/shared/protocol/command";
import {
  Challenge,
  EvidenceMessage,
  isEvidenceBy,
  linkDigestOf,
  qualifyingDataOf,
  signEvidence,
} from "@muster/shared/protocol/evidence";
import { KeyLease, requireLeaseFor, signKeyLease } from "@muster/shared/protocol/key-lease";
import { Ack, Batch, Birth, Heartbeat, StateMessage, Will } from "@muster/shared/protocol/messages";
import { PowerPolicy, signPowerPolicy, verifyPowerPolicy } from "@muster/shared/protocol/power-policy";
import type { UpChannel } from "@muster/shared/protocol/topics";
import { parseJson } from "@muster/shared/protocol/validate";
import { decodeMessage } from "@muster/shared/protocol/wire";
import { signCommand, verifyCommand } from "@muster/shared/trust/command";
import { Directive, signDirective, verifyDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { TSchema } from "typebox";
import { documentsOf } from "../from-schema.ts";
import type { Target } from "../target.ts";

const key = signingKeyFrom(new Uint8Array(32).fill(5));
const keys = { [key.keyId]: key.publicKey };
/** Before every end of a document that is made. */
const now = -1;

const target = (name: string, schema: TSchema, take: (input: Buffer) => void): Target => ({
  name,
  form: "json",
  seeds: documentsOf(schema),
  take,
});

const up = (channel: UpChannel, schema: TSchema): Target =>
  target(`message ${channel}`, schema, (input) => void decodeUp(channel, input));

/** Everything that goes over MQTT. What is signed is signed anew, so that the checks behind the signature are reached. */
export const messageTargets = (): Target[] => [
  up("birth", Birth),
  up("state", StateMessage),
  up("heartbeat", Heartbeat),
  up("batch", Batch),
  up("will", Will),
  target("message evidence", EvidenceMessage, (input) => {
    const { evidence } = decodeMessage(EvidenceMessage, input);
    isEvidenceBy(evidence, keys);
    isEvidenceBy(signEvidence(evidence.payload, key), keys);
    linkDigestOf(evidence.payload);
    qualifyingDataOf(evidence.payload);
  }),
  target("message challenge", Challenge, (input) => void decodeMessage(Challenge, input)),
  target("message ack", Ack, (input) => void decodeMessage(Ack, input)),
  target("directive", Directive, (input) => {
    const { payload } = parseJson(Directive, input, "wire.malformed");
    verifyDirective(signDirective(payload, key), {
      device: payload.device,
      generation: 1,
      floor: 0,
      keys,
      now,
    });
  }),
  target("command", Command, (input) => {
    const { payload } = parseJson(Command, input, "wire.malformed");
    verifyCommand(signCommand(payload, key), { device: payload.audience, keys, now });
  }),
  target("power policy", PowerPolicy, (input) => {
    const { payload } = parseJson(PowerPolicy, input, "wire.malformed");
    verifyPowerPolicy(signPowerPolicy(payload, key), { device: payload.device, keys, generation: 1, now });
  }),
  target("key lease", KeyLease, (input) => {
    const { payload } = parseJson(KeyLease, input, "wire.malformed");
    requireLeaseFor(signKeyLease(payload, key), payload.device, keys);
  }),
];
