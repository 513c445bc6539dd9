import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { newId } from "./ids.ts";

/** Id and secret of a new token. Its 256 random bits need no slow hash. */
export const newSecret = (prefix: string): { id: string; secret: string } => ({
  id: newId(prefix),
  secret: randomBytes(32).toString("base64url"),
});

/** What is stored of a secret: SHA-256, hex. */
export const hashOfSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Compares in constant time; where nothing is stored it takes as long and is false. */
export function matchesSecret(secret: string, storedHash: string | undefined): boolean {
  const given = Buffer.from(hashOfSecret(secret), "hex");
  const wanted = storedHash === undefined ? Buffer.alloc(given.length) : Buffer.from(storedHash, "hex");
  return timingSafeEqual(given, wanted) && storedHash !== undefined;
}
