/** Where a picture of another size lies in the frame that the model sees. Pixels. */
export interface Placement {
  /** Size of the picture, turned upright. */
  readonly source: Size;
  readonly frame: Size;
  /** Size that the picture is scaled to. */
  readonly scaled: Size;
  /** Its upper left corner in the frame; negative where it is cut off. */
  readonly left: number;
  readonly top: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** `stretch` fills the frame, `fit` leaves bars on two sides, `crop` lets two sides stand over; both are centered. */
export function place(source: Size, frame: Size, fit: "stretch" | "fit" | "crop"): Placement {
  if (fit === "stretch") return { source, frame, scaled: frame, left: 0, top: 0 };
  const ratios = [frame.width / source.width, frame.height / source.height] as const;
  const ratio = fit === "fit" ? Math.min(...ratios) : Math.max(...ratios);
  const side = (from: number, to: number) =>
    fit === "fit"
      ? Math.max(1, Math.min(to, Math.round(from * ratio)))
      : Math.max(to, Math.round(from * ratio));
  const scaled = {
    width: side(source.width, frame.width),
    height: side(source.height, frame.height),
  };
  return {
    source,
    frame,
    scaled,
    left: Math.floor((frame.width - scaled.width) / 2),
    top: Math.floor((frame.height - scaled.height) / 2),
  };
}

/** Boxes `x1, y1, x2, y2` in the frame become pixels of the source, cut at its edges. `unit` boxes are 0 to 1. */
export function toSource(
  boxes: Float32Array,
  { source, frame, scaled, left, top }: Placement,
  from: "pixels" | "unit",
): Float32Array {
  const [frameX, frameY] = from === "unit" ? [frame.width, frame.height] : [1, 1];
  const [scaleX, scaleY] = [source.width / scaled.width, source.height / scaled.height];
  const cut = (value: number, limit: number) => Math.min(limit, Math.max(0, value));
  return boxes.map((value, index) =>
    index % 2 === 0
      ? cut((value * frameX - left) * scaleX, source.width)
      : cut((value * frameY - top) * scaleY, source.height),
  );
}
