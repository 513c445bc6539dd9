import { checkPrime, createHash } from "node:crypto";
import { promisify } from "node:util";

const isPrime = promisify<bigint, { checks: number }, boolean>(checkPrime as never);

const PRIME_BITS = 1024;
/** The public exponent of all keys; a prime that is 1 modulo it has no private one. */
export const EXPONENT = 65_537n;
/** Rounds of Miller-Rabin; an error of 2^-64 for numbers drawn at random at this size needs fewer. */
const CHECKS = 8;
/** Odd numbers looked at from each starting point: a prime is among them but for one time in e^11. */
const SPAN = 8_192;

const SMALL: readonly number[] = (() => {
  const primes: number[] = [];
  for (let number = 3; primes.length < 2_000; number += 2)
    if (primes.every((prime) => prime * prime > number || number % prime !== 0)) primes.push(number);
  return primes;
})();

/** 1024 bits that follow from the seed; the two highest are set, so that products have 2048 bits, and it is odd. */
function startingPoint(seed: string): bigint {
  const bytes = createHash("shake256", { outputLength: PRIME_BITS / 8 })
    .update(seed)
    .digest();
  bytes[0] = (bytes[0] ?? 0) | 0xc0;
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) | 1;
  return BigInt(`0x${bytes.toString("hex")}`);
}

/** The first prime from the starting point on that an RSA key can use. */
async function primeFrom(seed: string): Promise<bigint> {
  const start = startingPoint(seed);
  const composite = new Uint8Array(SPAN);
  for (const prime of SMALL) {
    const rest = Number(start % BigInt(prime));
    // start + 2i is divisible where 2i = -rest modulo the prime; (prime + 1) / 2 is the inverse of 2.
    for (let i = ((prime - rest) * ((prime + 1) / 2)) % prime; i < SPAN; i += prime) composite[i] = 1;
  }
  for (let i = 0; i < SPAN; i += 1) {
    if (composite[i] === 1) continue;
    const candidate = start + BigInt(2 * i);
    if (candidate % EXPONENT !== 1n && (await isPrime(candidate, { checks: CHECKS }))) return candidate;
  }
  return primeFrom(`${seed} again`);
}

/** So many different primes that follow from the seed. */
export async function primesOf(seed: number, count: number): Promise<bigint[]> {
  const primes = await Promise.all(
    Array.from({ length: count }, (_, index) => primeFrom(`muster simulator ${seed} ${index}`)),
  );
  return [...new Set(primes)];
}
