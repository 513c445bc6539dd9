import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import { decrypt, encrypt } from "../../storage/aead.ts";
import { writeDurably } from "../../storage/durable-files.ts";

interface MasterKey {
  readonly id: string;
  readonly bytes: Buffer;
}

/** Something sealed under a master key. */
export interface Sealed {
  keyId: string;
  /** Nonce, ciphertext and tag of AES-256-GCM, base64. */
  sealed: string;
}

const LINE = /^(mk_[0-9a-f]{16}) ([A-Za-z0-9+/]{43}=)$/;

/**
 * Keys that secrets are stored under, in a file of their own: a copy of the database alone gives nothing away. A line
 * each, `<id> <base64>`, the newest first.
 */
export class MasterKeys {
  readonly #file: string;
  #keys: readonly MasterKey[];

  private constructor(file: string, keys: readonly MasterKey[]) {
    this.#file = file;
    this.#keys = keys;
  }

  /** Makes the file on the first use. @throws MusterError `settings.invalid` for a file that holds no keys */
  static async open(file: string): Promise<MasterKeys> {
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT")
        throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
      const keys = new MasterKeys(file, [newKey()]);
      await keys.#write();
      return keys;
    }
    const lines = text.split("\n").filter((line) => line !== "");
    const keys = lines.map((line) => LINE.exec(line));
    if (keys.length === 0 || keys.includes(null))
      throw new MusterError("settings.invalid", `${file} holds no master keys, or one of them is damaged.`);
    return new MasterKeys(
      file,
      keys.map((found) => ({ id: found?.[1] ?? "", bytes: Buffer.from(found?.[2] ?? "", "base64") })),
    );
  }

  /** Id of the key that seals now. */
  get current(): string {
    return this.#newest.id;
  }

  /** @param about bound to it: it opens only with the same */
  seal(plain: Uint8Array, about: string): Sealed {
    const { id, bytes } = this.#newest;
    return { keyId: id, sealed: encrypt(bytes, about, plain).toString("base64") };
  }

  /** @throws MusterError `secret.key-missing`, `secret.unreadable` */
  open({ keyId, sealed }: Sealed, about: string): Buffer {
    const key = this.#keys.find(({ id }) => id === keyId);
    if (!key)
      throw new MusterError("secret.key-missing", `There is no master key ${keyId} in ${this.#file}.`);
    const plain = decrypt(key.bytes, about, Buffer.from(sealed, "base64"));
    if (!plain) throw new MusterError("secret.unreadable", "A stored secret does not open: it was changed.");
    return plain;
  }

  /** From now on a new key seals; the former ones still open. */
  async addKey(): Promise<void> {
    this.#keys = [newKey(), ...this.#keys];
    await this.#write();
  }

  /** Forgets every key but the newest: call it when nothing is sealed under another. */
  async forgetOld(): Promise<void> {
    this.#keys = [this.#newest];
    await this.#write();
  }

  get #newest(): MasterKey {
    return this.#keys[0] as MasterKey;
  }

  async #write(): Promise<void> {
    const lines = this.#keys.map(({ id, bytes }) => `${id} ${bytes.toString("base64")}\n`);
    await writeDurably(this.#file, lines.join(""), 0o600);
  }
}

const newKey = (): MasterKey => ({ id: `mk_${randomBytes(8).toString("hex")}`, bytes: randomBytes(32) });
