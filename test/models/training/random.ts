/** Source of uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * Repeatable uniform numbers: sfc32 (Chris Doty-Humphrey, PractRand) seeded by counting up, with the first
 * outputs dropped so that near seeds do not give near streams.
 */
export function seededRandom(seed: number): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 16; round++) next();
  return next;
}

/** Uniform in [low, high). */
export const between = (random: Random, low: number, high: number): number => low + (high - low) * random();

/** Whole number in [0, count). */
export const pick = (random: Random, count: number): number => Math.floor(random() * count);

/** Standard normal deviate (Box-Muller, Math. Stat. 29:610, 1958). */
export function gaussian(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}
