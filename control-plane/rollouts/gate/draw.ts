/**
 * Numbers in (0, 1] drawn from a seed and a name that begins with `prefix`: the same on every machine and in
 * whatever order they are asked for, so that a tick that is repeated draws the same again. FNV-1a over the name,
 * then the finaliser of MurmurHash3 twice, for 53 bits.
 */
export function drawer(seed: number, prefix: string): (name: string) => number {
  const begun = hashed((0x811c9dc5 ^ seed) >>> 0, prefix);
  return (name) => {
    const high = mixed(hashed(begun, name));
    const low = mixed(high ^ 0x9e3779b9 ^ seed);
    return (high * 2 ** 21 + (low >>> 11) + 1) / 2 ** 53;
  };
}

function hashed(from: number, text: string): number {
  let hash = from;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

function mixed(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
