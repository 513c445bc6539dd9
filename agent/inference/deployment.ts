import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Serving } from "@muster/shared/protocol/serving/serving";

/** One model of a release as this device runs it. Paths are absolute. */
export interface ModelDeployment {
  readonly name: string;
  readonly version: string;
  /** Id of the chosen variant. */
  readonly variant: string;
  /** Digest of the model file, as signed. */
  readonly digest: string;
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
}

/** What the runner is to serve: all models of one release. */
export interface Deployment {
  readonly release: ReleaseRef;
  readonly models: readonly ModelDeployment[];
}
