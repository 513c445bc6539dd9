import { createHash } from "node:crypto";
import { MusterError } from "../errors.ts";
import { canonicalJson } from "./canonical-json.ts";

/**
 * What an operator hands to a device: `muster1.<token id>.<secret>.<CA pin>[.<root pin>]`. The pins are the
 * SHA-256 (base64url) of the CA certificate in DER and of the canonical TUF root, so that a device trusts no
 * server and no root on first use.
 */
export interface JoinToken {
  id: string;
  secret: string;
  caPin: string;
  rootPin: string | null;
}

const SHAPE =
  /^muster1\.([A-Za-z0-9_-]{8,32})\.([A-Za-z0-9_-]{32,64})\.([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{43}))?$/;

export const formatJoinToken = (token: JoinToken): string =>
  ["muster1", token.id, token.secret, token.caPin, ...(token.rootPin ? [token.rootPin] : [])].join(".");

/** @throws MusterError `token.invalid` */
export function parseJoinToken(text: string): JoinToken {
  const match = SHAPE.exec(text.trim());
  const [, id, secret, caPin, rootPin] = match ?? [];
  if (!id || !secret || !caPin)
    throw new MusterError("token.invalid", "This is not a join token: it begins with muster1.");
  return { id, secret, caPin, rootPin: rootPin ?? null };
}

const pinOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("base64url");

/** Pin of a CA certificate in DER. */
export const caPinOf = (der: Uint8Array): string => pinOf(der);

/** Pin of a TUF root, by its signed part: signatures may be added without changing it. */
export const rootPinOf = (signed: unknown): string => pinOf(canonicalJson(signed));
