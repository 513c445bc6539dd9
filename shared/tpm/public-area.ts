import { MusterError } from "../errors.ts";
import { TPM_ALG } from "./constants.ts";
import { COORDINATE_SIZE, type Curve, curveId, curveOf } from "./curve.ts";
import { digestOf, HASH_SIZE, type HashName, hashId, hashNameFrom } from "./hash.ts";
import { TpmReader, TpmWriter } from "./wire.ts";

export { checkAttestationKey, checkEndorsementKey } from "./key-fitness.ts";
export { toKeyObject } from "./key-object.ts";

/** Signing schemes with the hash that they take. */
export interface SigningScheme {
  readonly algorithm: "rsassa" | "rsapss" | "ecdsa";
  readonly hash: HashName;
}

/** How a storage key protects its children; null for keys that sign. */
export interface SymmetricCipher {
  readonly algorithm: "aes";
  readonly bits: number;
  readonly mode: "cfb";
}

interface CommonArea {
  readonly nameAlg: HashName;
  /** Bits of TPMA_OBJECT. */
  readonly attributes: number;
  readonly authPolicy: Buffer;
  readonly symmetric: SymmetricCipher | null;
  readonly scheme: SigningScheme | null;
}

export interface RsaPublicArea extends CommonArea {
  readonly type: "rsa";
  readonly bits: number;
  /** As stored: 0 stands for 65537. */
  readonly exponent: number;
  /** Empty in a template. */
  readonly modulus: Buffer;
}

export interface EccPublicArea extends CommonArea {
  readonly type: "ecc";
  readonly curve: Curve;
  /** Without leading zeros where the TPM strips them; empty in a template. */
  readonly x: Buffer;
  readonly y: Buffer;
}

/** TPMT_PUBLIC (part 2, 12.2.4) of the two asymmetric kinds of key. */
export type PublicArea = RsaPublicArea | EccPublicArea;

/** Most bits of an RSA key that is taken: larger ones cost a verifier time and no TPM has them. */
const MOST_RSA_BITS = 4096;

const SCHEME_IDS: Readonly<Record<SigningScheme["algorithm"], number>> = {
  rsassa: TPM_ALG.RSASSA,
  rsapss: TPM_ALG.RSAPSS,
  ecdsa: TPM_ALG.ECDSA,
};

const malformed = (what: string): MusterError => new MusterError("tpm.malformed", what);
const hex = (id: number): string => `0x${id.toString(16).padStart(4, "0")}`;

/** Reads a TPM2B_PUBLIC, whole. @throws MusterError `tpm.malformed` */
export function parsePublic(bytes: Uint8Array): PublicArea {
  const outer = new TpmReader(bytes, "TPM2B_PUBLIC");
  const inner = outer.sized();
  outer.end();
  const reader = new TpmReader(inner, "TPMT_PUBLIC");
  const type = reader.u16();
  if (type !== TPM_ALG.RSA && type !== TPM_ALG.ECC)
    throw malformed(`A key of type ${hex(type)} is neither RSA nor ECC.`);
  const nameAlg = hashNameFrom(reader.u16());
  const attributes = reader.u32();
  const authPolicy = reader.sized();
  if (authPolicy.length !== 0 && authPolicy.length !== HASH_SIZE[nameAlg])
    throw malformed(`A policy of ${authPolicy.length} bytes is no ${nameAlg} digest.`);
  const symmetric = readSymmetric(reader);
  const scheme = readScheme(reader, type === TPM_ALG.RSA ? ["rsassa", "rsapss"] : ["ecdsa"]);
  const common = { nameAlg, attributes, authPolicy, symmetric, scheme };
  const area = type === TPM_ALG.RSA ? readRsa(reader, common) : readEcc(reader, common);
  reader.end();
  return area;
}

/** Writes a TPM2B_PUBLIC; parsePublic reads it back as it was. */
export const encodePublic = (area: PublicArea): Buffer => new TpmWriter().sized(encodeInner(area)).build();

/** Name of the object: id of its name algorithm, then the digest of TPMT_PUBLIC (part 1, 16). */
export const nameOf = (area: PublicArea): Buffer =>
  new TpmWriter()
    .u16(hashId(area.nameAlg))
    .bytes(digestOf(area.nameAlg, encodeInner(area)))
    .build();

function encodeInner(area: PublicArea): Buffer {
  const writer = new TpmWriter()
    .u16(area.type === "rsa" ? TPM_ALG.RSA : TPM_ALG.ECC)
    .u16(hashId(area.nameAlg))
    .u32(area.attributes)
    .sized(area.authPolicy);
  if (area.symmetric) writer.u16(TPM_ALG.AES).u16(area.symmetric.bits).u16(TPM_ALG.CFB);
  else writer.u16(TPM_ALG.NULL);
  if (area.scheme) writer.u16(SCHEME_IDS[area.scheme.algorithm]).u16(hashId(area.scheme.hash));
  else writer.u16(TPM_ALG.NULL);
  return area.type === "rsa"
    ? writer.u16(area.bits).u32(area.exponent).sized(area.modulus).build()
    : writer.u16(curveId(area.curve)).u16(TPM_ALG.NULL).sized(area.x).sized(area.y).build();
}

function readSymmetric(reader: TpmReader): SymmetricCipher | null {
  const algorithm = reader.u16();
  if (algorithm === TPM_ALG.NULL) return null;
  if (algorithm !== TPM_ALG.AES) throw malformed(`${hex(algorithm)} is no known symmetric cipher.`);
  const bits = reader.u16();
  if (bits !== 128 && bits !== 192 && bits !== 256) throw malformed(`AES has no keys of ${bits} bits.`);
  const mode = reader.u16();
  if (mode !== TPM_ALG.CFB) throw malformed(`A storage key takes AES in CFB mode, not ${hex(mode)}.`);
  return { algorithm: "aes", bits, mode: "cfb" };
}

function readScheme(
  reader: TpmReader,
  possible: readonly SigningScheme["algorithm"][],
): SigningScheme | null {
  const id = reader.u16();
  if (id === TPM_ALG.NULL) return null;
  const algorithm = possible.find((name) => SCHEME_IDS[name] === id);
  if (!algorithm) throw malformed(`${hex(id)} is no signing scheme of this type of key.`);
  return { algorithm, hash: hashNameFrom(reader.u16()) };
}

function readRsa(reader: TpmReader, common: CommonArea): RsaPublicArea {
  const bits = reader.u16();
  if (bits < 1024 || bits > MOST_RSA_BITS || bits % 8 !== 0)
    throw malformed(`RSA keys of ${bits} bits are not taken.`);
  const exponent = reader.u32();
  const modulus = reader.sized();
  if (modulus.length !== 0 && (modulus.length !== bits / 8 || modulus[0]! < 0x80))
    throw malformed(`The RSA modulus does not have ${bits} bits.`);
  if (modulus.length !== 0 && modulus.at(-1)! % 2 === 0) throw malformed("An even number is no RSA modulus.");
  return { type: "rsa", ...common, bits, exponent, modulus };
}

function readEcc(reader: TpmReader, common: CommonArea): EccPublicArea {
  const id = reader.u16();
  const curve = curveOf(id);
  if (!curve) throw malformed(`${hex(id)} is no known curve.`);
  const kdf = reader.u16();
  if (kdf !== TPM_ALG.NULL) throw malformed("A key derivation scheme is reserved; it must be null.");
  const x = reader.sized();
  const y = reader.sized();
  if (Math.max(x.length, y.length) > COORDINATE_SIZE[curve])
    throw malformed(`A coordinate is longer than those of ${curve}.`);
  return { type: "ecc", ...common, curve, x, y };
}
