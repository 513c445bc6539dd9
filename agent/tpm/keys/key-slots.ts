import type { Channel } from "../channel.ts";
import type { KeyInTpm } from "../commands/object.ts";
import { flushContext } from "../commands/session.ts";

/** Transient handles are those that a flush ends (part 2, 7.2). */
const TRANSIENT = 0x80;
const isTransient = (handle: number): boolean => handle >>> 24 === TRANSIENT;

/**
 * Keys that stay loaded between calls because making them takes long. A TPM has room for three objects at least,
 * so whoever needs more room takes it from here.
 */
export class KeySlots {
  readonly #channel: Channel;
  readonly #keys = new Map<string, KeyInTpm>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The key that is loaded under this id, else what `make` loads. */
  async get(id: string, make: () => Promise<KeyInTpm>): Promise<KeyInTpm> {
    const known = this.#keys.get(id);
    if (known) return known;
    const key = await make();
    this.#keys.set(id, key);
    return key;
  }

  /** Takes all of them out of the TPM again. */
  async flush(): Promise<void> {
    const keys = [...this.#keys.values()];
    this.#keys.clear();
    for (const { handle } of keys)
      if (isTransient(handle)) await flushContext(this.#channel, handle).catch(() => {});
  }

  /** The TPM lost them by itself: it was restarted, or another connection stands. */
  forget(): void {
    this.#keys.clear();
  }
}
