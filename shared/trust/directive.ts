import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";
import {
  Count,
  DeviceId,
  Id,
  Millis,
  Nullable,
  PROTOCOL_VERSION,
  ReleaseRef,
} from "../protocol/primitives.ts";
import { ShadowRule } from "../protocol/shadow-rule.ts";
import type { SigningKey } from "./ed25519.ts";
import {
  isSignedBy,
  type Signed,
  SignedDocument,
  signDocument,
  type TrustedKeys,
} from "./signed-document.ts";

const DOMAIN = "muster/directive/v1";

/**
 * What one device should run. `generation` grows with every directive for the device; going back to an older
 * release is a newer directive. `floor` is the lowest `sequence` of this release name that the device may
 * accept from now on; it never goes down. `release: null` asks the device to run nothing.
 */
export const DirectivePayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    device: DeviceId,
    generation: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    issuedAt: Millis,
    notAfter: Millis,
    rollout: Nullable(Id),
    release: Nullable(ReleaseRef),
    floor: Count,
    /** The release runs beside the live one first, and may serve once it has passed; null for no such time. */
    shadow: Nullable(ShadowRule),
  },
  { additionalProperties: false },
);
export type DirectivePayload = Static<typeof DirectivePayload>;

export const Directive = SignedDocument(DirectivePayload);
export type Directive = Signed<DirectivePayload>;

export const signDirective = (payload: DirectivePayload, key: SigningKey): Directive =>
  signDocument(DOMAIN, payload, key);

/** What the device holds against a directive. */
export interface DirectiveContext {
  device: string;
  /** Newest generation accepted so far, 0 when none. */
  generation: number;
  /** Floor accepted so far for the directive's release name. */
  floor: number;
  keys: TrustedKeys;
  now: number;
}

/**
 * Checks signature, audience, generation, expiry and floor, in this order.
 * @returns `current` for the directive already accepted, `newer` for one to act on
 * @throws MusterError of the `directive.` family
 */
export function verifyDirective(directive: Directive, context: DirectiveContext): "newer" | "current" {
  const { payload } = directive;
  if (!isSignedBy(DOMAIN, directive, context.keys)) throw new MusterError("directive.signature-invalid");
  if (payload.device !== context.device)
    throw new MusterError("directive.wrong-audience", `The directive is for ${payload.device}.`);
  if (payload.generation < context.generation)
    throw new MusterError(
      "directive.replayed",
      `The directive has generation ${payload.generation}; ${context.generation} is accepted already.`,
    );
  if (payload.generation === context.generation) return "current";
  if (payload.notAfter <= context.now)
    throw new MusterError(
      "directive.expired",
      `The directive ended at ${new Date(payload.notAfter).toISOString()}.`,
    );
  if (payload.release && payload.release.sequence < Math.max(context.floor, payload.floor))
    throw new MusterError(
      "directive.below-floor",
      `Release ${payload.release.name} ${payload.release.version} has sequence ${payload.release.sequence}; the floor is ${Math.max(context.floor, payload.floor)}.`,
    );
  return "newer";
}
