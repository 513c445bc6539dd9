import { type Static, type TSchema, Type } from "typebox";
import { MusterError } from "../errors.ts";
import { PROTOCOL_VERSION } from "./primitives.ts";
import { parseJson, validate } from "./validate.ts";

/** Largest MQTT payload either side sends or takes, bytes. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;

const Versioned = Type.Object({ v: Type.Integer() });

export const encodeMessage = <T extends TSchema>(_schema: T, message: Static<T>): string =>
  JSON.stringify(message);

/**
 * A message as it came from the wire.
 * @throws MusterError `wire.oversized`, `wire.malformed` or `wire.version-unknown`
 */
export function decodeMessage<T extends TSchema>(schema: T, payload: Uint8Array): Static<T> {
  if (payload.byteLength > MAX_PAYLOAD_BYTES)
    throw new MusterError(
      "wire.oversized",
      `The message has ${payload.byteLength} bytes; the limit is ${MAX_PAYLOAD_BYTES}.`,
    );
  const value = parseJson(Versioned, payload, "wire.malformed");
  if (value.v !== PROTOCOL_VERSION)
    throw new MusterError("wire.version-unknown", `The message has version ${value.v}; this side speaks 1.`);
  return validate(schema, value, "wire.malformed");
}
