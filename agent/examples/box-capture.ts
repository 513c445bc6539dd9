import { type Static, Type } from "typebox";

/** Whether this box keeps hard examples. A release may ask for them; only the owner of the box allows it. */
export const BoxCapture = Type.Object(
  {
    allow: Type.Boolean(),
    /** Most that examples may take on the disk, MiB. */
    maxMib: Type.Optional(Type.Number({ minimum: 0.001, maximum: 1_000_000 })),
  },
  { additionalProperties: false },
);
export type BoxCapture = Static<typeof BoxCapture>;

const DEFAULT_MIB = 256;
const MIB = 1024 ** 2;

/** Where examples wait and how much of them; null where the box allows none. */
export interface ExampleSpool {
  readonly directory: string;
  readonly maxBytes: number;
}

export const exampleSpool = (directory: string, capture: BoxCapture | undefined): ExampleSpool | null =>
  capture?.allow ? { directory, maxBytes: Math.round((capture.maxMib ?? DEFAULT_MIB) * MIB) } : null;
