import { type Static, Type } from "typebox";

/** Steps around the model, in order, run in the runner. */
export const Pipeline = Type.Object(
  {
    before: Type.Array(Type.Object({ op: Type.String({ maxLength: 32 }) }), { maxItems: 16 }),
    after: Type.Array(Type.Object({ op: Type.String({ maxLength: 32 }) }), { maxItems: 16 }),
  },
  { additionalProperties: false },
);
export type Pipeline = Static<typeof Pipeline>;
