import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { Directive, verifyDirective } from "@muster/shared/trust/directive";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";

/** Largest directive that is looked at, bytes. */
const MAX_DIRECTIVE_BYTES = 64 * 1024;

export interface AcceptContext {
  device: string;
  /** Newest generation accepted so far, 0 when none. */
  generation: number;
  /** Floor accepted so far for a release name. */
  floorOf: (release: string) => number;
  /** Milliseconds since the epoch. */
  now: number;
  /** Keys of the trust root in force; a key that it does not know may be newer than the root. */
  keysFor: (keyId: string) => Promise<TrustedKeys>;
}

export type Acceptance =
  | { verdict: "newer" | "current"; directive: Directive; text: string }
  | { verdict: "refused"; generation: number; error: MusterError };

const textOf = (received: string | Uint8Array): string => {
  const size = typeof received === "string" ? Buffer.byteLength(received) : received.byteLength;
  if (size > MAX_DIRECTIVE_BYTES)
    throw new MusterError(
      "wire.oversized",
      `The directive has ${size} bytes; the limit is ${MAX_DIRECTIVE_BYTES}.`,
    );
  return typeof received === "string" ? received : new TextDecoder().decode(received);
};

/**
 * Judges a directive as it was received, by whatever way it came.
 */
export async function acceptDirective(
  received: string | Uint8Array,
  context: AcceptContext,
): Promise<Acceptance> {
  let generation = 0;
  try {
    const text = textOf(received);
    const directive = parseJson(Directive, text, "wire.malformed") as Directive;
    const { payload } = directive;
    generation = payload.generation;
    const verdict = verifyDirective(directive, {
      device: context.device,
      generation: context.generation,
      floor: payload.release ? context.floorOf(payload.release.name) : 0,
      keys: await context.keysFor(directive.keyId),
      now: context.now,
    });
    return { verdict, directive, text };
  } catch (error) {
    const coded = isMusterError(error) ? error : asMusterError(error);
    return { verdict: "refused", generation, error: coded };
  }
}
