/** Candidates, best first, that suppression looks at: it grows with their square. */
const MAX_CANDIDATES = 3000;

export interface Detections {
  /** Corners `x1, y1, x2, y2`. */
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly classes: Int32Array;
}

export interface SuppressRule {
  readonly minScore: number;
  readonly maxOverlap: number;
  readonly max: number;
  /** Boxes of different classes suppress each other too. */
  readonly acrossClasses: boolean;
}

/**
 * Greedy non-maximum suppression. Each box counts for its best class; of equals the first comes first.
 * @param boxes corners of N boxes
 * @param scores of N boxes, `width` classes each
 */
export function suppress(
  boxes: Float32Array,
  scores: Float32Array,
  width: number,
  rule: SuppressRule,
): Detections {
  const candidates = candidatesOf(scores, width, rule.minScore);
  const kept: typeof candidates = [];
  for (const candidate of candidates) {
    if (kept.length === rule.max) break;
    const isCovered = kept.some(
      (other) =>
        (rule.acrossClasses || other.category === candidate.category) &&
        overlap(boxes, other.box, candidate.box) > rule.maxOverlap,
    );
    if (!isCovered) kept.push(candidate);
  }
  const out = new Float32Array(kept.length * 4);
  for (const [at, { box }] of kept.entries()) out.set(boxes.subarray(box * 4, box * 4 + 4), at * 4);
  return {
    boxes: out,
    scores: Float32Array.from(kept, ({ score }) => score),
    classes: Int32Array.from(kept, ({ category }) => category),
  };
}

function candidatesOf(scores: Float32Array, width: number, minScore: number) {
  const found: { box: number; category: number; score: number }[] = [];
  for (let box = 0; box * width < scores.length; box++) {
    let category = 0;
    for (let at = 1; at < width; at++)
      if (scores[box * width + at]! > scores[box * width + category]!) category = at;
    const score = scores[box * width + category]!;
    if (score >= minScore) found.push({ box, category, score });
  }
  return found.sort((a, b) => b.score - a.score || a.box - b.box).slice(0, MAX_CANDIDATES);
}

/** Intersection over union; 0 where both are empty. */
function overlap(boxes: Float32Array, a: number, b: number): number {
  const [left, top, right, bottom] = [a * 4, a * 4 + 1, a * 4 + 2, a * 4 + 3];
  const [otherLeft, otherTop, otherRight, otherBottom] = [b * 4, b * 4 + 1, b * 4 + 2, b * 4 + 3];
  const width = Math.min(boxes[right]!, boxes[otherRight]!) - Math.max(boxes[left]!, boxes[otherLeft]!);
  const height = Math.min(boxes[bottom]!, boxes[otherBottom]!) - Math.max(boxes[top]!, boxes[otherTop]!);
  if (width <= 0 || height <= 0) return 0;
  const area = (x1: number, y1: number, x2: number, y2: number) =>
    Math.max(0, boxes[x2]! - boxes[x1]!) * Math.max(0, boxes[y2]! - boxes[y1]!);
  const shared = width * height;
  return (
    shared / (area(left, top, right, bottom) + area(otherLeft, otherTop, otherRight, otherBottom) - shared)
  );
}

/** Boxes `x, y, width, height` around their center become corners. */
export function cornersOf(centered: Float32Array): Float32Array {
  const out = new Float32Array(centered.length);
  for (let at = 0; at < centered.length; at += 4) {
    const [halfWidth, halfHeight] = [centered[at + 2]! / 2, centered[at + 3]! / 2];
    out[at] = centered[at]! - halfWidth;
    out[at + 1] = centered[at + 1]! - halfHeight;
    out[at + 2] = centered[at]! + halfWidth;
    out[at + 3] = centered[at + 1]! + halfHeight;
  }
  return out;
}

/**
 * Takes boxes with scores behind them apart.
 * @param count boxes @param width values of each: 4, then the score of "something" if there is one, then classes
 */
export function splitDetections(
  values: Float32Array,
  count: number,
  width: number,
  across: "rows" | "columns",
  objectness: boolean,
): { boxes: Float32Array; scores: Float32Array; classes: number } {
  const lead = objectness ? 5 : 4;
  const classes = width - lead;
  const [boxStep, valueStep] = across === "rows" ? [width, 1] : [1, count];
  const boxes = new Float32Array(count * 4);
  const scores = new Float32Array(count * classes);
  for (let at = 0; at < 4; at++)
    for (let box = 0; box < count; box++) boxes[box * 4 + at] = values[box * boxStep + at * valueStep]!;
  for (let at = 0; at < classes; at++) {
    const start = (lead + at) * valueStep;
    for (let box = 0; box < count; box++) scores[box * classes + at] = values[box * boxStep + start]!;
  }
  if (objectness)
    for (let box = 0; box < count; box++) {
      const weight = values[box * boxStep + 4 * valueStep]!;
      for (let at = 0; at < classes; at++) scores[box * classes + at] = weight * scores[box * classes + at]!;
    }
  return { boxes, scores, classes };
}
