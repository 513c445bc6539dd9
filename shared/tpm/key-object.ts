import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { MusterError } from "../errors.ts";
import { COORDINATE_SIZE, type Curve, padded } from "./curve.ts";
import type { PublicArea } from "./public-area.ts";

const JWK_CURVES: Readonly<Record<Curve, string>> = { p256: "P-256", p384: "P-384", p521: "P-521" };
const DEFAULT_EXPONENT = 65_537;

/** Making a key costs more than checking one signature with it, and an appraiser sees the same keys again and again. */
const made = new Map<string, KeyObject>();
const MOST_MADE = 8192;

function jwkOf(area: PublicArea): JsonWebKey {
  const text = (bytes: Buffer): string => bytes.toString("base64url");
  if (area.type === "rsa") {
    const exponent = Buffer.alloc(4);
    exponent.writeUInt32BE(area.exponent || DEFAULT_EXPONENT);
    return { kty: "RSA", n: text(area.modulus), e: text(exponent) };
  }
  const size = COORDINATE_SIZE[area.curve];
  return {
    kty: "EC",
    crv: JWK_CURVES[area.curve],
    x: text(padded(area.x, size)),
    y: text(padded(area.y, size)),
  };
}

/** What tells keys apart. A text of one byte a character that is in one piece is made and compared fastest. */
function idOf(area: PublicArea): string {
  if (area.type === "ecc")
    return `${area.curve}.${area.x.length}.${Buffer.concat([area.x, area.y]).toString("latin1")}`;
  const modulus = area.modulus.toString("latin1");
  return (area.exponent || DEFAULT_EXPONENT) === DEFAULT_EXPONENT ? modulus : `${area.exponent}.${modulus}`;
}

/** The public key for node:crypto. @throws MusterError `tpm.malformed` for a template or a point off its curve */
export function toKeyObject(area: PublicArea): KeyObject {
  const id = idOf(area);
  const known = made.get(id);
  if (known) return known;
  if ((area.type === "rsa" ? area.modulus : area.x).length === 0)
    throw new MusterError("tpm.malformed", "The public area is a template: it has no key.");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwkOf(area), format: "jwk" });
  } catch (cause) {
    throw new MusterError("tpm.malformed", "The public area has no valid key.", { cause });
  }
  if (made.size >= MOST_MADE) made.delete(made.keys().next().value as string);
  made.set(id, key);
  return key;
}
