import type { BeforeStep } from "@muster/shared/protocol/serving/pipeline";
import { normalizeTables, type PackPlan, packPixels } from "./pack.ts";
import { decodePicture, loadDecoder } from "./picture.ts";
import { type Reader, stepOf } from "./reader.ts";
import { standardize } from "./standardize.ts";

/** The steps of a picture, checked before, as one decoding and one pass over the pixels. */
export function pictureReader(steps: readonly BeforeStep[]): Reader {
  const decode = stepOf(steps, "decode-image")!;
  const resize = stepOf(steps, "resize");
  const isStandardized = stepOf(steps, "standardize") !== undefined;
  const plan = packPlanOf(steps);
  const channels = plan.order === "gray" ? 1 : 3;
  return {
    accepts: ["image/jpeg", "image/png"],
    load: loadDecoder,
    async read(body) {
      const { rgb, placement } = await decodePicture(body, decode, resize);
      const { width, height } = placement.frame;
      const data = packPixels(rgb, plan);
      if (isStandardized) standardize(data as Float32Array, data.length);
      const shape = plan.planar ? [1, channels, height, width] : [1, height, width, channels];
      return { shape, data, placement };
    },
  };
}

function packPlanOf(steps: readonly BeforeStep[]): PackPlan {
  const order = stepOf(steps, "color")?.to ?? "rgb";
  const normalize = stepOf(steps, "normalize");
  const isFloat = normalize !== undefined || stepOf(steps, "standardize") !== undefined;
  const { scale = 1, mean = [0], std = [1] } = normalize ?? {};
  return {
    order,
    planar: stepOf(steps, "layout")?.to === "NCHW",
    tables: isFloat ? normalizeTables(order === "gray" ? 1 : 3, scale, mean, std) : null,
  };
}
