import { rm } from "node:fs/promises";
import { join } from "node:path";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { readIfThere, requirePrivate, writeAtomically } from "../storage/files.ts";
import type { Tpm } from "../tpm/face.ts";

const SECRET = 0o600;

/** What a vault needs of a TPM. */
export type Sealer = Pick<Tpm, "seal" | "unseal">;

/**
 * Private keys on disk. On a box with a TPM each is sealed by it, so that a copied disk is worth nothing elsewhere. They
 * are bound to no PCR: an update of the firmware changes those, and would lock the box out of its own identity.
 */
export class KeyVault {
  readonly #directory: string;
  readonly #tpm: Sealer | undefined;
  readonly #notSealed: (error: MusterError) => void;

  /** @param notSealed told where a key that lies open is left so, because the TPM does not seal it */
  constructor(directory: string, tpm: Sealer | undefined, notSealed: (error: MusterError) => void) {
    this.#directory = directory;
    this.#tpm = tpm;
    this.#notSealed = notSealed;
  }

  /**
   * The key of this name, made where there is none. One that lies open is sealed as soon as there is a TPM that does it:
   * a device that works is not locked out because its TPM does not.
   * @throws MusterError `enrollment.keys-sealed`, `settings.invalid`, `storage.full`, of the family `tpm.` for a new key
   */
  async open(name: string, make: () => Promise<string>): Promise<string> {
    const file = join(this.#directory, name);
    const sealed = await readIfThere(`${file}.sealed`);
    if (sealed !== undefined) {
      await requirePrivate(`${file}.sealed`, SECRET);
      const key = await this.#unseal(name, sealed);
      // A power cut may have left both.
      await rm(file, { force: true });
      return key;
    }
    const known = await readIfThere(file);
    if (known !== undefined) await requirePrivate(file, SECRET);
    const key = known ?? (await make());
    if (!this.#tpm) {
      if (known === undefined) await writeAtomically(file, key, SECRET);
      return key;
    }
    let blob: Buffer;
    try {
      blob = await this.#tpm.seal(Buffer.from(key), null);
    } catch (error) {
      if (known === undefined) throw error;
      this.#notSealed(asMusterError(error));
      return key;
    }
    await writeAtomically(`${file}.sealed`, `${blob.toString("base64")}\n`, SECRET);
    await rm(file, { force: true });
    return key;
  }

  async #unseal(name: string, sealed: string): Promise<string> {
    const refuse = (why: string, cause?: unknown) =>
      new MusterError("enrollment.keys-sealed", `${name} in ${this.#directory} is sealed by a TPM: ${why}`, {
        cause,
      });
    if (!this.#tpm) throw refuse("this box shows none.");
    try {
      return (await this.#tpm.unseal(Buffer.from(sealed, "base64"))).toString("utf8");
    } catch (cause) {
      const error = asMusterError(cause);
      // One that is busy or silent opens it another time.
      if (error.retryable) throw error;
      throw refuse(error.message, cause);
    }
  }
}
