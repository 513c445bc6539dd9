import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";
import {
  MAX_EXAMPLE_INPUTS,
  MAX_EXAMPLE_OUTPUTS,
  MAX_HEADER_BYTES,
  MAX_OUTPUT_NUMBERS,
} from "./example-bytes.ts";
import { Count, Digest, Millis, Name, Nullable, Version } from "./primitives.ts";
import { parseJson } from "./validate.ts";

const closed = { additionalProperties: false } as const;

const tensor = {
  name: Type.String({ minLength: 1, maxLength: 256 }),
  /** As in the Open Inference Protocol v2. */
  datatype: Type.String({ maxLength: 8 }),
  shape: Type.Array(Count, { maxItems: 16 }),
};

/**
 * First line of an example: what was asked, what the model said, and where the inputs lie that follow it. The bytes of
 * the inputs come behind the line break, one after the other, little-endian and row-major as in the binary tensor data
 * extension of the Open Inference Protocol.
 */
export const ExampleHeader = Type.Object(
  {
    schema: Type.Literal("muster.example/1"),
    release: Digest,
    model: Name,
    version: Version,
    variant: Name,
    /** Of the model file. */
    digest: Digest,
    /** Id that the request had, if any. */
    id: Nullable(Type.String({ maxLength: 128 })),
    at: Millis,
    /** Highest score of the first output. */
    confidence: Type.Number(),
    class: Count,
    label: Nullable(Type.String({ maxLength: 64 })),
    keep: Type.Union([Type.Literal("inputs"), Type.Literal("summary")]),
    inputs: Type.Array(
      Type.Object(
        {
          ...tensor,
          /** Bytes behind the header; 0 where only the summary is kept. */
          bytes: Count,
          /** Null for texts, and where a value is no finite number. */
          mean: Nullable(Type.Number()),
          std: Nullable(Type.Number()),
        },
        closed,
      ),
      { minItems: 1, maxItems: MAX_EXAMPLE_INPUTS },
    ),
    /** Outputs that the request asked for, as far as they are small numbers of floats. */
    outputs: Type.Array(
      Type.Object(
        { ...tensor, data: Type.Array(Nullable(Type.Number()), { maxItems: MAX_OUTPUT_NUMBERS }) },
        closed,
      ),
      { maxItems: MAX_EXAMPLE_OUTPUTS },
    ),
  },
  closed,
);
export type ExampleHeader = Static<typeof ExampleHeader>;

const LINE_BREAK = 0x0a;

/**
 * The header of an example, and its inputs in the header's order.
 * @throws MusterError `example.invalid`
 */
export function decodeExample(bytes: Uint8Array): { header: ExampleHeader; inputs: Uint8Array[] } {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(LINE_BREAK);
  if (end === -1) throw new MusterError("example.invalid", "The example has no header line.");
  const header = parseJson(ExampleHeader, bytes.subarray(0, end), "example.invalid");
  let at = end + 1;
  const inputs = header.inputs.map(({ bytes: size }) => {
    at += size;
    return bytes.subarray(at - size, at);
  });
  if (at !== bytes.byteLength)
    throw new MusterError(
      "example.invalid",
      `The header names ${at} bytes in all; the example has ${bytes.byteLength}.`,
    );
  return { header, inputs };
}
