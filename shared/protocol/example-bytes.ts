import type { ExampleHeader } from "./example.ts";

/** Largest example on the wire, bytes. What is larger is not kept. */
export const MAX_EXAMPLE_BYTES = 8 * 1024 ** 2;
/** Most inputs of a model whose examples are kept. */
export const MAX_EXAMPLE_INPUTS = 16;
/** Most outputs that a header has. */
export const MAX_EXAMPLE_OUTPUTS = 16;
/** Longest header of an example, bytes. */
export const MAX_HEADER_BYTES = 256 * 1024;
/** Most numbers of one output in a header. */
export const MAX_OUTPUT_NUMBERS = 1024;

/** Header and input bytes as one file. */
export function encodeExample(header: ExampleHeader, inputs: readonly Uint8Array[]): Uint8Array {
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  return Buffer.concat([line, ...inputs]);
}
