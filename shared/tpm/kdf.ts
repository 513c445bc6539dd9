import { createHmac } from "node:crypto";
import { digestOf, type HashName } from "./hash.ts";
import { TpmWriter } from "./wire.ts";

const NUL = Buffer.alloc(1);

/**
 * Key derivation with HMAC in counter mode (part 1, 11.4.10.2; SP 800-108). `bits` is a multiple of 8.
 */
export function kdfa(
  hash: HashName,
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Buffer {
  const blocks: Buffer[] = [];
  for (let size = 0, counter = 1; size < bits / 8; counter++) {
    const input = new TpmWriter()
      .u32(counter)
      .bytes(Buffer.from(label))
      .bytes(NUL)
      .bytes(contextU)
      .bytes(contextV)
      .u32(bits)
      .build();
    const block = createHmac(hash, key).update(input).digest();
    blocks.push(block);
    size += block.length;
  }
  return Buffer.concat(blocks).subarray(0, bits / 8);
}

/**
 * Key derivation from an ECDH secret (part 1, 11.4.10.3; SP 800-56A), one block of the hash.
 * @param x coordinates of the shared point and of the two parties, of full length
 */
export function kdfe(
  hash: HashName,
  x: { readonly shared: Uint8Array; readonly ephemeral: Uint8Array; readonly recipient: Uint8Array },
  label: string,
): Buffer {
  const counter = new TpmWriter().u32(1).build();
  return digestOf(hash, counter, x.shared, Buffer.from(label), NUL, x.ephemeral, x.recipient);
}
