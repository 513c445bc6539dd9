import { TPM_ECC } from "./constants.ts";

/** Curves of the EK templates and of attestation keys. */
export type Curve = "p256" | "p384" | "p521";

const IDS: Readonly<Record<Curve, number>> = {
  p256: TPM_ECC.NIST_P256,
  p384: TPM_ECC.NIST_P384,
  p521: TPM_ECC.NIST_P521,
};
const CURVES = new Map<number, Curve>(Object.entries(IDS).map(([name, id]) => [id, name as Curve]));

/** Bytes of a coordinate. */
export const COORDINATE_SIZE: Readonly<Record<Curve, number>> = { p256: 32, p384: 48, p521: 66 };

export const curveId = (curve: Curve): number => IDS[curve];

/** Curve of an id; undefined for one that is not known here. */
export const curveOf = (id: number): Curve | undefined => CURVES.get(id);

/** Fills up a number with leading zeros, which a TPM may strip. */
export function padded(bytes: Uint8Array, size: number): Buffer {
  const out = Buffer.alloc(size);
  out.set(bytes, size - bytes.length);
  return out;
}
