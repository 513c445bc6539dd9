/** Longest body of a window record, bytes; features that do not fit are not monitored. */
export const MAX_WINDOW_BYTES = 24 * 1024;
/** Longest name of a tensor whose quality is told. */
export const MAX_WINDOW_NAME = 256;
/** Inputs of a model whose quality is told; those beyond are not. */
export const MAX_WINDOW_INPUTS = 16;

/** Whether the quality of one more input with this name has room in a window. */
export const fitsQuality = (name: string, others: number): boolean =>
  others < MAX_WINDOW_INPUTS && name.length > 0 && name.length <= MAX_WINDOW_NAME;
