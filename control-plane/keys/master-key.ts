import { hkdfSync, randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { decrypt, encrypt } from "../storage/aead.ts";
import { createKeyFile, readKeyFile } from "../trust/key-file.ts";

/**
 * What keeps secrets in control.db from whoever gets the database alone: a key in a file of its own, made on the first
 * start. It is wrapped with AES-256-GCM under a key of each purpose (HKDF-SHA256), bound to what it is the secret of.
 */
export class MasterKey {
  readonly #key: Buffer;

  private constructor(seed: string, purpose: string) {
    this.#key = Buffer.from(hkdfSync("sha256", Buffer.from(seed, "hex"), "", `muster/master/${purpose}`, 32));
  }

  /**
   * Opens `<dir>/master.key` (mode 0600), or makes it.
   * @param purpose what is wrapped: nothing that was wrapped for one purpose opens for another
   * @throws MusterError `trust.key-missing` for a file that is no key
   */
  static async open(dir: string, purpose: string): Promise<MasterKey> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, "master.key");
    const { seed } = (await readKeyFile(file)) ?? (await createKeyFile(file, randomBytes(32)));
    return new MasterKey(seed, purpose);
  }

  /** @param name what it is the secret of @returns base64 */
  wrap(name: string, secret: Uint8Array): string {
    return encrypt(this.#key, name, secret).toString("base64");
  }

  /** The caller wipes what comes back. @throws MusterError `key.not-unwrapped` */
  unwrap(name: string, wrapped: string): Buffer {
    const secret = decrypt(this.#key, name, Buffer.from(wrapped, "base64"));
    if (!secret) throw new MusterError("key.not-unwrapped");
    return secret;
  }
}
