import { type Static, Type } from "typebox";

/** Bounds of dynamic batching; within them the device takes what its measured batch curve favours. */
export const Batching = Type.Object(
  {
    /** Most rows that run together; 1 switches batching off. */
    maxBatch: Type.Integer({ minimum: 1, maximum: 1024 }),
    /** Longest wait for more rows while the runner is free, milliseconds; 0 never waits. */
    maxDelayMs: Type.Optional(Type.Number({ minimum: 0, maximum: 1000 })),
  },
  { additionalProperties: false },
);
export type Batching = Static<typeof Batching>;
