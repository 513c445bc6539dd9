/** A count with its noun, e.g. `1 device` and `2 devices`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Words of a person as a sentence, with one mark at its end. */
export const closed = (words: string): string => {
  const bare = words.replace(/[\s.]+$/, "");
  return /[!?]$/.test(bare) ? bare : `${bare}.`;
};

/** The word that fits the count, e.g. `is` for 1 and `are` for 2. */
export const fitting = (count: number, one: string, many: string): string => (count === 1 ? one : many);
