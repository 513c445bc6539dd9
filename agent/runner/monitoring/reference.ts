import { readFile } from "node:fs/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import { sha256 } from "@muster/shared/trust/digest";

export interface Reference {
  readonly set: ReferenceSet;
  /** Digest of the file: it fixes the bins. */
  readonly digest: Digest;
}

const MOST_FEATURES = 64;
const MOST_EDGES = 64;

const invalid = (message: string): MusterError => new MusterError("model.reference-invalid", message);

/**
 * The reference set of a variant; the model serves without it, unmonitored.
 * @throws MusterError `model.reference-invalid`
 */
export async function readReference(path: string): Promise<Reference> {
  try {
    const bytes = await readFile(path);
    const set: unknown = JSON.parse(bytes.toString("utf8"));
    if (!isReferenceSet(set)) throw invalid("The file does not have the shape of muster.reference/1.");
    for (const [feature, { edges, counts }] of Object.entries(set.features))
      if (counts.length !== edges.length + 1 || edges.some((edge, bin) => bin > 0 && edge <= edges[bin - 1]!))
        throw invalid(`The histogram of ${feature} needs rising edges and one count more than edges.`);
    return { set, digest: sha256(bytes) };
  } catch (error) {
    throw asMusterError(error, "model.reference-invalid");
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isShare = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1;

/** Checked by hand: the schema library would cost the runner memory for its whole life. */
function isReferenceSet(value: unknown): value is ReferenceSet {
  if (!isObject(value) || value.schema !== "muster.reference/1" || !isObject(value.features)) return false;
  const features = Object.values(value.features);
  return (
    isCount(value.samples) &&
    value.samples !== 0 &&
    isShare(value.accuracy) &&
    features.length <= MOST_FEATURES &&
    features.every(isHistogram)
  );
}

const isHistogram = (value: unknown): boolean =>
  isObject(value) &&
  Array.isArray(value.edges) &&
  value.edges.length > 0 &&
  value.edges.length <= MOST_EDGES &&
  value.edges.every(Number.isFinite) &&
  Array.isArray(value.counts) &&
  value.counts.every(isCount);
