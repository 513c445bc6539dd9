/** A count with its noun, e.g. `1 device` and `2 devices`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
