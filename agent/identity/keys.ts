import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { MusterError } from "@muster/shared/errors";
import { deviceIdOf } from "@muster/shared/trust/digest";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";
import nacl from "tweetnacl";
import { privateDirectory } from "../storage/files.ts";
import { KeyVault, type Sealer } from "./key-vault.ts";

const RSA_BITS = 2048;

/** X25519 key pair (RFC 7748) for boxes of NaCl, hex. */
export interface SealingKey {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** The keys that are the device: for TLS, for what it signs, and for what is sealed to it. */
export interface DeviceKeys {
  /** Derived from the TLS key: a new key is a new device. */
  device: string;
  /** RSA private key, PEM (PKCS#8). */
  tlsKey: string;
  signing: SigningKey;
  sealing: SealingKey;
}

/** What X.509 carries of the TLS key, DER. */
const publicDer = (key: KeyObject): Buffer =>
  createPublicKey(key as never).export({ type: "spki", format: "der" });

/**
 * The keys in `directory`, made on first use and sealed by the TPM where there is one. Key files that others can read
 * are closed to them.
 * @param notSealed told for each key that lies open and that the TPM does not seal
 * @throws MusterError `settings.invalid` for a key file that is not a key, `enrollment.keys-sealed`, `storage.full`
 */
export async function openKeys(
  directory: string,
  tpm?: Sealer,
  notSealed: (error: MusterError) => void = () => undefined,
): Promise<DeviceKeys> {
  await privateDirectory(directory);
  const vault = new KeyVault(directory, tpm, notSealed);
  const tlsKey = await vault.open("device.key", newTlsKey);
  const signing = await vault.open("signing.key", newSeed);
  const sealing = await vault.open("sealing.key", newSeed);
  return {
    device: deviceIdOf(publicDer(parseKey(tlsKey, directory))),
    tlsKey,
    signing: signingKeyFrom(parseSeed("signing.key", signing, directory)),
    sealing: sealingKeyFrom(parseSeed("sealing.key", sealing, directory)),
  };
}

const newSeed = async (): Promise<string> => `${randomBytes(32).toString("hex")}\n`;

async function newTlsKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: RSA_BITS });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function sealingKeyFrom(secret: Uint8Array): SealingKey {
  const { publicKey } = nacl.box.keyPair.fromSecretKey(new Uint8Array(secret));
  return {
    publicKey: Buffer.from(publicKey).toString("hex"),
    secretKey: Buffer.from(secret).toString("hex"),
  };
}

function parseKey(pem: string, directory: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unusable("device.key", directory, cause);
  }
}

function parseSeed(name: string, text: string, directory: string): Buffer {
  if (!/^[0-9a-f]{64}\s*$/.test(text)) throw unusable(name, directory);
  return Buffer.from(text.trim(), "hex");
}

const unusable = (name: string, directory: string, cause?: unknown): MusterError =>
  new MusterError(
    "settings.invalid",
    `${name} in ${directory} is not a key. Restore it, or move the directory away and enroll this box as a new device.`,
    { cause },
  );
