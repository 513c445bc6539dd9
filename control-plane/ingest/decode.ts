import { MusterError } from "@muster/shared/errors";
import { EvidenceMessage } from "@muster/shared/protocol/evidence";
import { Batch, Birth, Heartbeat, StateMessage, Will } from "@muster/shared/protocol/messages";
import type { UpChannel } from "@muster/shared/protocol/topics";
import { decodeMessage } from "@muster/shared/protocol/wire";

export type UpMessage =
  | { channel: "birth"; body: Birth }
  | { channel: "state"; body: StateMessage }
  | { channel: "heartbeat"; body: Heartbeat }
  | { channel: "batch"; body: Batch }
  | { channel: "will"; body: Will }
  | { channel: "evidence"; body: EvidenceMessage };

/**
 * What a device published, checked.
 * @throws MusterError `wire.malformed`, `wire.oversized` or `wire.version-unknown`
 */
export function decodeUp(channel: UpChannel, payload: Uint8Array): UpMessage {
  switch (channel) {
    case "birth":
      return { channel, body: decodeMessage(Birth, payload) };
    case "state":
      return { channel, body: decodeMessage(StateMessage, payload) };
    case "heartbeat":
      return { channel, body: decodeMessage(Heartbeat, payload) };
    case "batch":
      return { channel, body: ascending(decodeMessage(Batch, payload)) };
    case "will":
      return { channel, body: decodeMessage(Will, payload) };
    case "evidence":
      return { channel, body: decodeMessage(EvidenceMessage, payload) };
  }
}

function ascending(batch: Batch): Batch {
  let last = 0;
  for (const { seq } of batch.records) {
    if (seq <= last) throw new MusterError("wire.malformed", `Record ${seq} comes after ${last} in a batch.`);
    last = seq;
  }
  return batch;
}
