import { MusterError } from "@muster/shared/errors";

/** Keys of sealed models in this process, from the moment that they come until everything is loaded and proven. */
const held = new Map<string, Buffer>();

/** A key of a sealed model on its way to the process that loads it. */
export interface HandedKey {
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Takes keys over; the buffers that they came in are wiped. */
export function holdKeys(keys: readonly HandedKey[]): void {
  for (const { id, secret } of keys) {
    held.set(id, Buffer.from(secret));
    secret.fill(0);
  }
}

/** @throws MusterError `key.unavailable` for one that did not come */
export function keyOf(id: string): Buffer {
  const key = held.get(id);
  if (!key) throw new MusterError("key.unavailable", "The key of this sealed model did not come with it.");
  return key;
}

/** Wipes every key: nothing more is loaded. */
export function dropKeys(): void {
  for (const key of held.values()) key.fill(0);
  held.clear();
}
