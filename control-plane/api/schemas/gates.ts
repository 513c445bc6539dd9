import { Count } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import { METRICS } from "../../rollouts/gate/plan.ts";
import { closed, oneOf, orNull } from "./common.ts";

const MaybeNumber = orNull(Type.Number());

/** One condition with its value beside what the plan asks for; see `rollouts/gate/views.ts`. */
const Condition = Type.Object(
  {
    kind: oneOf("success", "error", "sample", "attestation", "soak", ...METRICS),
    verdict: oneOf("met", "violated", "inconclusive", "passed-over"),
    value: MaybeNumber,
    threshold: MaybeNumber,
    control: MaybeNumber,
    comparison: orNull(
      Type.Object({ devices: Count, controls: Count, stake: Type.Number(), limit: Type.Number() }, closed),
    ),
    unit: oneOf("percent", "ms", "psi", "inferences", "seconds"),
    sentence: Type.String(),
  },
  closed,
);

/** Failures that lie together more than chance explains. */
const Cluster = Type.Object(
  {
    place: oneOf("site", "hardware-class"),
    name: Type.String(),
    ended: Count,
    failed: Count,
    endedElsewhere: Count,
    failedElsewhere: Count,
    sentence: Type.String(),
  },
  closed,
);

/** Where the gate of a wave stands. */
export const Gate = Type.Object(
  {
    verdict: oneOf("met", "violated", "inconclusive"),
    reason: Type.String(),
    waitingFor: Type.Union([Type.Literal("evidence"), Type.Literal("soak"), Type.Null()]),
    conditions: Type.Array(Condition),
    clusters: Type.Array(Cluster),
    hardwareClasses: Type.Array(Type.String()),
  },
  closed,
);
