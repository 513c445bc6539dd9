/**
 * A number in (0, 1] drawn from a seed and a name: the same on every machine and in whatever order it is asked
 * for, so that a tick that is repeated draws the same again. FNV-1a over the name, then the finaliser of
 * MurmurHash3 twice, for 53 bits.
 */
export function draw(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < name.length; index += 1)
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  const high = mixed(hash);
  const low = mixed(high ^ 0x9e3779b9 ^ seed);
  return (high * 2 ** 21 + (low >>> 11) + 1) / 2 ** 53;
}

function mixed(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
