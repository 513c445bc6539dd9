import { type Static, Type } from "typebox";
import { Name } from "./primitives.ts";
import { MOST_CANDIDATES, Objective } from "./serving/objective.ts";

const Share = Type.Number({ minimum: 0, maximum: 1 });
const Amount = Type.Number({ minimum: 0 });

/** What a device measured of one variant on one provider, in a process of its own. */
export const Measured = Type.Object(
  {
    /** From the file to a session that takes requests, milliseconds. */
    loadMs: Amount,
    /** Warm inference time of one golden input, milliseconds. */
    p50Ms: Amount,
    p95Ms: Amount,
    /** Processor time of one inference, milliseconds; what an accelerator does itself is not in it. */
    cpuMs: Amount,
    /** Share of the golden cases that were reproduced. */
    agreement: Share,
    /** Share of the graph's nodes that ran on the provider; null where the runtime does not tell. */
    placement: Type.Union([Share, Type.Null()]),
    /** Memory that the loaded and warm model takes, MiB. */
    memoryMiB: Amount,
  },
  { additionalProperties: false },
);
export type Measured = Static<typeof Measured>;

const candidate = { variant: Name, provider: Name };

/** Why a device runs this variant on this provider: what it measured of it, and why not the others. */
export const ChoiceReport = Type.Object(
  {
    objective: Objective,
    measured: Measured,
    /** As the reference set of the variant states it. */
    accuracy: Share,
    losers: Type.Array(
      Type.Object(
        { ...candidate, reason: Type.String({ maxLength: 200 }), measured: Type.Optional(Measured) },
        { additionalProperties: false },
      ),
      { maxItems: MOST_CANDIDATES - 1 },
    ),
  },
  { additionalProperties: false },
);
export type ChoiceReport = Static<typeof ChoiceReport>;
