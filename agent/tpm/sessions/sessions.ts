import { TPM_SE } from "@muster/shared/tpm/constants";
import { kdfa } from "@muster/shared/tpm/kdf";
import { parsePublic } from "@muster/shared/tpm/public-area";
import { sharedSeed } from "@muster/shared/tpm/seed";
import type { Channel } from "../channel.ts";
import type { KeyInTpm } from "../commands/object.ts";
import { flushContext, startAuthSession } from "../commands/session.ts";
import { AuthSession, NONCE_SIZE, type Random, SESSION_HASH, type SessionStart } from "./session.ts";

const NOTHING = Buffer.alloc(0);
const KEY_BITS = 256;

/** Sessions of one TPM; each lives as long as what it is for, and is flushed whatever comes of that. */
export class Sessions {
  readonly #channel: Channel;
  readonly #random: Random;

  constructor(channel: Channel, random: Random) {
    this.#channel = channel;
    this.#random = random;
  }

  /**
   * A session whose key only the TPM with this storage key can know (part 1, 19.6.8): who listens on the bus reads
   * neither what it hides nor can change it.
   */
  salted<T>(kind: SessionStart["kind"], by: KeyInTpm, use: (session: AuthSession) => Promise<T>): Promise<T> {
    const { seed, encrypted } = sharedSeed(parsePublic(by.public), "SECRET", this.#random);
    return this.#with(kind, { saltKey: by.handle, encryptedSalt: encrypted, salt: seed }, use);
  }

  /** A policy session that hides nothing. */
  policy<T>(use: (session: AuthSession) => Promise<T>): Promise<T> {
    return this.#with("policy", { saltKey: null, encryptedSalt: NOTHING, salt: NOTHING }, use);
  }

  async #with<T>(
    kind: SessionStart["kind"],
    { saltKey, encryptedSalt, salt }: { saltKey: number | null; encryptedSalt: Buffer; salt: Buffer },
    use: (session: AuthSession) => Promise<T>,
  ): Promise<T> {
    const nonce = this.#random(NONCE_SIZE);
    const type = kind === "policy" ? TPM_SE.POLICY : TPM_SE.HMAC;
    const { handle, nonceTpm } = await startAuthSession(this.#channel, {
      type,
      nonce,
      saltKey,
      encryptedSalt,
    });
    const key = saltKey === null ? NOTHING : kdfa(SESSION_HASH, salt, "ATH", nonceTpm, nonce, KEY_BITS);
    try {
      return await use(new AuthSession({ handle, kind, key, nonceTpm }, this.#random));
    } finally {
      // Where the TPM is gone, so is the session; what `use` threw says more than that it could not be flushed.
      await flushContext(this.#channel, handle).catch(() => {});
    }
  }
}
