import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { DeviceSecrets, SecretContent } from "@muster/shared/protocol/device-secrets";
import { parseJson } from "@muster/shared/protocol/validate";
import { openSealed } from "@muster/shared/trust/sealed-box";
import type { SealingKey } from "../identity/keys.ts";
import { privateDirectory, writeAtomically } from "../storage/files.ts";

/** What came and went, by name. */
export interface SecretChange {
  written: string[];
  removed: string[];
}

/** Secrets of this box as files that only the user of the agent can read, one each, by their names. */
export class SecretFiles {
  readonly #directory: string;
  readonly #device: string;
  readonly #key: SealingKey;

  /** @param directory `<data>/secrets` */
  constructor(directory: string, device: string, key: SealingKey) {
    this.#directory = directory;
    this.#device = device;
    this.#key = key;
  }

  /**
   * Makes the files what the document says: what it does not name goes. Everything is opened before anything is
   * changed, so a bad document leaves all as it was.
   * @throws MusterError `wire.malformed`, `secret.unreadable`, `storage.full`, `settings.invalid`
   */
  async take(text: string): Promise<SecretChange> {
    const { secrets } = parseJson(DeviceSecrets, text, "wire.malformed");
    const values = new Map(secrets.map((secret) => [secret.name, this.#open(secret)]));
    const change: SecretChange = { written: [], removed: [] };
    const there = await this.#names();
    if (values.size === 0 && there.length === 0) return change;
    await privateDirectory(this.#directory);
    for (const [name, value] of values) {
      if (await this.#has(name, value)) continue;
      await writeAtomically(join(this.#directory, name), value, 0o600);
      change.written.push(name);
    }
    for (const name of there)
      if (!values.has(name)) {
        await rm(join(this.#directory, name), { force: true });
        change.removed.push(name);
      }
    return change;
  }

  #open({ name, version, box }: DeviceSecrets["secrets"][number]): Buffer {
    let content: SecretContent;
    try {
      const opened = openSealed(this.#key.secretKey, box);
      content = parseJson(SecretContent, opened.toString("utf8"), "wire.malformed");
    } catch (cause) {
      throw new MusterError("secret.unreadable", `The secret ${name} does not open on this box.`, { cause });
    }
    if (content.device !== this.#device || content.name !== name || content.version !== version)
      throw new MusterError("secret.unreadable", `The secret ${name} is another than it is said to be.`);
    return Buffer.from(content.value, "base64");
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new MusterError("settings.invalid", `${this.#directory} cannot be read.`, { cause: error });
    }
  }

  async #has(name: string, value: Buffer): Promise<boolean> {
    try {
      return (await readFile(join(this.#directory, name))).equals(value);
    } catch {
      return false;
    }
  }
}
