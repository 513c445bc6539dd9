import { MusterError } from "@muster/shared/errors";
import { mayPublish, maySubscribe } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import type { DeviceStatus } from "../fleet/types.ts";

interface Publication {
  topic: string;
  qos?: number | undefined;
  retain?: boolean | undefined;
  payload?: string | Uint8Array | undefined;
}

const shown = (topic: string): string => (topic.length > 120 ? `${topic.slice(0, 120)}…` : topic);

/** Why this publication of the device, or its will, is refused. */
export function publishRefusal(device: string, packet: Publication): MusterError | undefined {
  if (!mayPublish(device, packet.topic, packet.retain === true))
    return new MusterError(
      "wire.forbidden-topic",
      `It may not publish ${packet.retain ? "retained " : ""}to ${shown(packet.topic)}.`,
    );
  if ((packet.qos ?? 0) > 1)
    return new MusterError(
      "wire.forbidden-topic",
      `It published with QoS 2, which this protocol leaves out.`,
    );
  const bytes = Buffer.byteLength(packet.payload ?? "");
  if (bytes > MAX_PAYLOAD_BYTES)
    return new MusterError(
      "wire.oversized",
      `A message of ${bytes} bytes to ${shown(packet.topic)}; the limit is ${MAX_PAYLOAD_BYTES}.`,
    );
  return undefined;
}

/** Why this filter of a SUBSCRIBE is refused. */
export const subscribeRefusal = (device: string, filter: string): MusterError | undefined =>
  maySubscribe(device, filter)
    ? undefined
    : new MusterError("wire.forbidden-topic", `It may not subscribe to ${shown(filter)}.`);

/** Why this CONNECT is refused: client id and certificate must name the same active device, its will be allowed. */
export function connectRefusal(
  clientId: string,
  commonName: string | undefined,
  status: DeviceStatus | undefined,
  will: Publication | undefined,
): MusterError | undefined {
  if (commonName === undefined || status === undefined)
    return new MusterError("certificate.invalid", "The certificate names no device of this fleet.");
  if (status === "revoked") return new MusterError("certificate.revoked");
  if (clientId !== commonName)
    return new MusterError(
      "wire.forbidden-topic",
      `It connected as ${shown(clientId) || "an empty client id"} with the certificate of ${commonName}.`,
    );
  return will && publishRefusal(commonName, will);
}
