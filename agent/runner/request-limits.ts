/** Limits of one inference request beside the size of its body. */
export interface RequestLimits {
  /** Rows, where the first of several dimensions varies: they are computed in one go, and nothing else meanwhile. */
  readonly rows: number;
  /** Characters of the request id. */
  readonly idLength: number;
  /** Levels of lists and objects in JSON. */
  readonly jsonDepth: number;
  /** Inputs, and outputs, of one request. */
  readonly tensors: number;
  /** Dimensions of a tensor. */
  readonly rank: number;
  /** Parameters of the request, and of each tensor. */
  readonly parameters: number;
  /** Bytes of one element of a BYTES tensor. */
  readonly elementBytes: number;
}

export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  rows: 16_384,
  idLength: 1024,
  jsonDepth: 48,
  tensors: 64,
  rank: 32,
  parameters: 32,
  elementBytes: 1024 * 1024,
};
