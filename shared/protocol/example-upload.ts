import { type Static, Type } from "typebox";
import { Count } from "./primitives.ts";

/** Largest part of an example in one request, bytes: small enough for a slow line within the time of a request. */
export const EXAMPLE_PART_BYTES = 128 * 1024;

/**
 * Headers of a part. An empty part changes nothing: its answer says from where to go on. A part that does not begin
 * where the last one ended is answered alike.
 */
export const EXAMPLE_HEADERS = {
  /** `sha256:` and hex of the whole example. */
  digest: "muster-digest",
  /** Bytes of the whole example. */
  size: "muster-size",
  /** Where this part begins. */
  offset: "muster-offset",
} as const;

export const ExampleReceipt = Type.Object(
  {
    /** Bytes that are there. */
    received: Count,
    /** All of it is there and stored durably: the device may delete its own. */
    stored: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type ExampleReceipt = Static<typeof ExampleReceipt>;
