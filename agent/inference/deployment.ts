import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Sealed } from "@muster/shared/protocol/release";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import type { ExternalRuntime } from "../external/runtime.ts";

/** One model of a release as this device runs it. Paths are absolute. */
export interface ModelDeployment {
  readonly name: string;
  readonly version: string;
  /** Id of the chosen variant. */
  readonly variant: string;
  /** Digest of the model file, as signed. */
  readonly digest: string;
  /** What opens out of the model file, where that is encrypted. */
  readonly sealed?: Sealed;
  /** Execution provider; there is no fallback to another one. */
  readonly provider: string;
  /** The variant would rather run on another provider, which this device lacks. */
  readonly fallback: boolean;
  /** Class names by index of the last dimension of the first output. */
  readonly labels?: readonly string[];
  readonly modelPath: string;
  readonly goldenPath: string;
  readonly referencePath: string;
  readonly serving?: Serving;
  /** Smallest share of the graph's nodes on the provider, 0 to 1; absent: all of them. */
  readonly minPlacement?: number;
  /** How to run the server that is this provider; absent for providers of ONNX Runtime. */
  readonly runtime?: ExternalRuntime;
  /** Other builds of this model version on disk, in the order in which they stand in when this one keeps crashing. */
  readonly ladder?: readonly ModelDeployment[];
  /**
   * What the rungs of `serving.cascade` name, loaded beside this one: other variants of this model, and other models of
   * the release. A rung whose alternative is not among them, because it does not run here, never answers.
   */
  readonly alternatives?: readonly ModelDeployment[];
  /** Nothing of it is loaded: its cascade answers for it, as for a model that fails. */
  readonly standIn?: true;
}

/** What the runner is to serve: all models of one release. */
export interface Deployment {
  readonly release: ReleaseRef;
  readonly models: readonly ModelDeployment[];
  /** The release that was committed before this one, where it is still on disk. */
  readonly previous?: Deployment;
}
