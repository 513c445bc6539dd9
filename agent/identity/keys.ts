import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { MusterError } from "@muster/shared/errors";
import { deviceIdOf } from "@muster/shared/trust/digest";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";
import { privateDirectory, readIfThere, requirePrivate, writeAtomically } from "../storage/files.ts";

const RSA_BITS = 2048;
const SECRET = 0o600;

/** The two keys that are the device: one for TLS, one for what it signs. */
export interface DeviceKeys {
  /** Derived from the TLS key: a new key is a new device. */
  device: string;
  /** RSA private key, PEM (PKCS#8). */
  tlsKey: string;
  signing: SigningKey;
}

/** What X.509 carries of the TLS key, DER. */
const publicDer = (key: KeyObject): Buffer =>
  createPublicKey(key as never).export({ type: "spki", format: "der" });

/**
 * The keys in `directory`, made on first use. Key files that others can read are closed to them.
 * @throws MusterError `settings.invalid` for a key file that is not a key, `storage.full`
 */
export async function openKeys(directory: string): Promise<DeviceKeys> {
  await privateDirectory(directory);
  const tlsKey = await readOrMake(join(directory, "device.key"), newTlsKey);
  const seed = await readOrMake(join(directory, "signing.key"), () =>
    Promise.resolve(`${randomBytes(32).toString("hex")}\n`),
  );
  return {
    device: deviceIdOf(publicDer(parseKey(tlsKey, directory))),
    tlsKey,
    signing: signingKeyFrom(parseSeed(seed, directory)),
  };
}

async function readOrMake(file: string, make: () => Promise<string>): Promise<string> {
  const known = await readIfThere(file);
  if (known !== undefined) {
    await requirePrivate(file, SECRET);
    return known;
  }
  const made = await make();
  await writeAtomically(file, made, SECRET);
  return made;
}

async function newTlsKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: RSA_BITS });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function parseKey(pem: string, directory: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unusable("device.key", directory, cause);
  }
}

function parseSeed(text: string, directory: string): Buffer {
  if (!/^[0-9a-f]{64}\s*$/.test(text)) throw unusable("signing.key", directory);
  return Buffer.from(text.trim(), "hex");
}

const unusable = (name: string, directory: string, cause?: unknown): MusterError =>
  new MusterError(
    "settings.invalid",
    `${name} in ${directory} is not a key. Restore it, or move the directory away and enroll this box as a new device.`,
    { cause },
  );
