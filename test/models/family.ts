import type { Pipeline } from "@muster/shared/protocol/serving/pipeline";
import type { ModelInterface } from "./onnx/network-graph.ts";
import type { NetworkPlan } from "./training/network.ts";
import type { Random } from "./training/random.ts";
import type { Sample, TrainingPlan } from "./training/train.ts";

/** Everything that makes one demo model: what it sees, how it is built, and how its releases are trained. */
export interface ModelFamily {
  /** Name of the release and of its model component. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly face: ModelInterface;
  readonly plan: NetworkPlan;
  /** Draws one labelled input, as live traffic brings it. */
  readonly draw: (random: Random) => Sample;
  /** Lets callers post a picture or a raw signal, and adds the answer in words. */
  readonly pipeline: Pipeline;
  readonly seed: number;
  /** 1.0.0 is trained by the first plan, 1.1.0 goes on from there by the second, with other data. */
  readonly training: readonly [first: TrainingPlan, retraining: TrainingPlan];
  /** Config component that 1.1.0 brings along: thresholds for the application beside the model. */
  readonly thresholds: Readonly<Record<string, unknown>>;
}
