import { type Static, type TProperties, Type } from "typebox";

const step = <const Op extends string, P extends TProperties>(op: Op, properties: P) =>
  Type.Object({ op: Type.Literal(op), ...properties }, { additionalProperties: false });

const oneOf = <const T extends string>(...values: readonly T[]) => Type.Enum(values as T[]);
const Side = Type.Integer({ minimum: 1, maximum: 8192 });
/** Name of a tensor: an output of the model or what a step before made. */
const TensorName = Type.String({ minLength: 1, maxLength: 256 });
/** One number for all channels, or one for each. */
const PerChannel = (options: { exclusiveMinimum?: number } = {}) =>
  Type.Array(Type.Number(options), { minItems: 1, maxItems: 64 });

/** JPEG or PNG to 8-bit RGB; transparency is dropped. */
const DecodeImage = step("decode-image", {
  /** Pixels of a picture beyond which it is refused undecoded; default 16,777,216. */
  maxPixels: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 26 })),
  /** Turn the picture as its EXIF orientation says; default true. */
  orient: Type.Optional(Type.Boolean()),
});

const Resize = step("resize", {
  width: Side,
  height: Side,
  /** `stretch` ignores the proportions, `fit` keeps them and pads, `crop` keeps them and cuts what stands over. */
  fit: oneOf("stretch", "fit", "crop"),
  /** Default `linear`. All but `nearest` average over what is made smaller. */
  filter: Type.Optional(oneOf("nearest", "linear", "cubic", "lanczos3")),
  /** Value of the padding of `fit`, 0 to 255; default 114. */
  pad: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
});

/** Order of the channels; without this step `rgb`. `gray` is the luma of ITU-R BT.601. */
const Color = step("color", { to: oneOf("rgb", "bgr", "gray") });

/** Raw samples, channels interleaved, to floats. */
const DecodeSignal = step("decode-signal", {
  type: oneOf("int8", "uint8", "int16", "int32", "float32", "float64"),
  /** Default `little`. */
  endian: Type.Optional(oneOf("little", "big")),
  /** Default 1. */
  channels: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
  /** Samples of all channels beyond which a signal is refused; default 1,048,576. */
  maxSamples: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 24 })),
});

/** To another sample rate, by a windowed sinc that cuts what the lower rate cannot carry. Hertz. */
const Resample = step("resample", {
  from: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
  to: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
});

/** Cuts the signal into frames of `size` samples, `hop` apart. Samples that fill no frame are left out. */
const Window = step("window", {
  size: Type.Integer({ minimum: 1, maximum: 65_536 }),
  /** Default `size`. */
  hop: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
  /** Weights of the samples, periodic form; default `none`. */
  taper: Type.Optional(oneOf("none", "hann", "hamming")),
});

/** Spectrum of each frame, a power of two long, as its `size / 2 + 1` bins from 0 to half the sample rate. */
const Fft = step("fft", {
  /** `log-magnitude` is `ln(magnitude + 1e-6)`. */
  give: oneOf("magnitude", "log-magnitude", "power"),
});

/** `(value * scale - mean) / std`, by channel. */
const Normalize = step("normalize", {
  /** Default 1. */
  scale: Type.Optional(Type.Number()),
  /** Default 0. */
  mean: Type.Optional(PerChannel()),
  /** Default 1. */
  std: Type.Optional(PerChannel({ exclusiveMinimum: 0 })),
});

/** Less its own mean, by its own standard deviation: a picture as a whole, a signal by frame and channel. */
const Standardize = step("standardize", {});

/** To integers rounded to the nearest, and to the nearest that the type holds. */
const Cast = step("cast", { to: oneOf("FP16", "FP32", "FP64", "UINT8", "INT8", "UINT16", "INT16", "INT32") });

/** Order of the axes of a picture as a batch of one. */
const Layout = step("layout", { to: oneOf("NCHW", "NHWC") });

/** The same values under another shape; one -1 takes what is left. */
const Reshape = step("reshape", {
  shape: Type.Array(Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1 }), { minItems: 1, maxItems: 8 }),
});

/** A step that makes the model's input of a picture or a signal. */
export const BeforeStep = Type.Union([
  DecodeImage,
  Resize,
  Color,
  DecodeSignal,
  Resample,
  Window,
  Fft,
  Normalize,
  Standardize,
  Cast,
  Layout,
  Reshape,
]);
export type BeforeStep = Static<typeof BeforeStep>;

/** Which tensor; default is the model's first output. */
const tensor = { tensor: Type.Optional(TensorName) };
/** A step takes its tensor out of the answer unless this is true. */
const keep = { keep: Type.Optional(Type.Boolean()) };
/** What the names of the tensors that it makes begin with. */
const as = { as: Type.Optional(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_]{0,62}$" })) };

/** Over the last axis. */
const Softmax = step("softmax", { ...tensor });
const Sigmoid = step("sigmoid", { ...tensor });

/** Best entry of the last axis: `class_index`, `class_score` and, with labels, `class_label`. `as` replaces `class`. */
const ArgMax = step("argmax", { ...tensor, ...keep, ...as });

/** The `k` best entries of the last axis, best first: `top_index`, `top_score` and, with labels, `top_label`. `as` replaces `top`. */
const TopK = step("top-k", { ...tensor, ...keep, ...as, k: Type.Integer({ minimum: 1, maximum: 100 }) });

/** Whether each value is `min` or more: `above`, or the name that `as` gives. */
const Threshold = step("threshold", { ...tensor, ...keep, ...as, min: Type.Number() });

/** Takes a tensor of boxes with class scores behind them apart into `boxes` and `scores`. */
const SplitDetections = step("split-detections", {
  ...tensor,
  ...keep,
  /** `rows`: `[N, 4 + C]`; `columns`: `[4 + C, N]`. A batch axis of one may stand before. */
  across: oneOf("rows", "columns"),
  /** A score of "there is something" stands between box and classes and is multiplied into them; default false. */
  objectness: Type.Optional(Type.Boolean()),
});

/**
 * Non-maximum suppression: of boxes that overlap keeps the one with the better score. Gives `boxes` (x1, y1, x2, y2),
 * `scores`, `classes` and, with labels, `labels`, best first.
 */
const Nms = step("nms", {
  /** Default `boxes`. */
  boxes: Type.Optional(TensorName),
  /** `[N, C]` or `[N]`; default `scores`. */
  scores: Type.Optional(TensorName),
  /** Corners, or center and size. */
  format: oneOf("corners", "center"),
  minScore: Type.Number({ minimum: 0 }),
  /** Overlap (intersection over union) above which two boxes are one thing. */
  maxOverlap: Type.Number({ minimum: 0, maximum: 1 }),
  max: Type.Integer({ minimum: 1, maximum: 1000 }),
  /** Boxes of different classes suppress each other too; default false. */
  acrossClasses: Type.Optional(Type.Boolean()),
});

/** Boxes from the coordinates of the model's input to pixels of the picture that was posted, cut at its edges. */
const ScaleBoxes = step("scale-boxes", {
  /** Default `boxes`, corners. */
  boxes: Type.Optional(TensorName),
  /** `pixels` of the model's input, or `unit`: 0 to 1. */
  from: oneOf("pixels", "unit"),
});

/** A step that makes the answer of the model's outputs. */
export const AfterStep = Type.Union([
  Softmax,
  Sigmoid,
  ArgMax,
  TopK,
  Threshold,
  SplitDetections,
  Nms,
  ScaleBoxes,
]);
export type AfterStep = Static<typeof AfterStep>;

/** Steps around the model, run in the runner: what an application may post in place of tensors, and what it gets. */
export const Pipeline = Type.Object(
  {
    before: Type.Optional(Type.Array(BeforeStep, { minItems: 1, maxItems: 16 })),
    after: Type.Optional(Type.Array(AfterStep, { minItems: 1, maxItems: 16 })),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type Pipeline = Static<typeof Pipeline>;

export type StepOf<S extends { op: string }, Op extends S["op"]> = Extract<S, { op: Op }>;
