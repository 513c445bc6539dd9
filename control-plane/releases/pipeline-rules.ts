import { asMusterError } from "@muster/shared/errors";
import type { ModelComponent } from "@muster/shared/protocol/release";
import { madeBy } from "@muster/shared/protocol/serving/pipeline-input";
import { checkAfter } from "@muster/shared/protocol/serving/pipeline-output";

/**
 * Why the pipeline of a model cannot work, as far as its steps alone tell; undefined where nothing speaks against it.
 * The device looks at the model itself before the release may serve.
 */
export function pipelineFault({ labels, serving }: ModelComponent): string | undefined {
  const { before, after } = serving?.pipeline ?? {};
  try {
    if (before) madeBy(before);
    if (after)
      checkAfter(after, {
        outputs: null,
        hasLabels: labels !== undefined,
        hasPicture: before?.[0]?.op === "decode-image",
      });
    return undefined;
  } catch (error) {
    return asMusterError(error).message;
  }
}
