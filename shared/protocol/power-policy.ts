import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";
import { WeeklyWindow } from "../time/weekly-window.ts";
import type { SigningKey } from "../trust/ed25519.ts";
import {
  isSignedBy,
  type Signed,
  SignedDocument,
  signDocument,
  type TrustedKeys,
} from "../trust/signed-document.ts";
import { DeviceId, Millis, PROTOCOL_VERSION } from "./primitives.ts";

const DOMAIN = "muster/power-policy/v1";

/** Why a time is good for work that can wait. */
export const WINDOW_KINDS = ["cheap", "green"] as const;

/** A time of the week in which work that can wait is done. */
export const PowerWindow = Type.Object(
  { ...WeeklyWindow.properties, kind: Type.Enum(WINDOW_KINDS) },
  { additionalProperties: false },
);
export type PowerWindow = Static<typeof PowerWindow>;

/** What an operator decides about work that can wait. */
export const powerPolicyMembers = {
  /** By the clock of `timeZone`. */
  windows: Type.Array(PowerWindow, { maxItems: 16 }),
  /** What becomes of best-effort requests outside of the windows. */
  bestEffortOutside: Type.Union([Type.Literal("run"), Type.Literal("defer")]),
};

/**
 * When one device may do best-effort work. `generation` grows with every policy for the device; taking a policy back
 * is a newer one that says `run`. After `notAfter` it binds no more, and best-effort work runs at any time.
 */
export const PowerPolicyPayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    device: DeviceId,
    generation: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    issuedAt: Millis,
    notAfter: Millis,
    /** IANA name; that of the site. */
    timeZone: Type.String({ minLength: 1, maxLength: 64 }),
    ...powerPolicyMembers,
  },
  { additionalProperties: false },
);
export type PowerPolicyPayload = Static<typeof PowerPolicyPayload>;

export const PowerPolicy = SignedDocument(PowerPolicyPayload);
export type PowerPolicy = Signed<PowerPolicyPayload>;

export const signPowerPolicy = (payload: PowerPolicyPayload, key: SigningKey): PowerPolicy =>
  signDocument(DOMAIN, payload, key);

/** What the device holds against a policy. */
export interface PowerPolicyContext {
  readonly device: string;
  /** Newest generation accepted so far, 0 when none. */
  readonly generation: number;
  readonly keys: TrustedKeys;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Checks signature, audience, generation and expiry, in this order.
 * @returns `current` for the policy already accepted, `newer` for one to act on
 * @throws MusterError of the `policy.` family
 */
export function verifyPowerPolicy(policy: PowerPolicy, context: PowerPolicyContext): "newer" | "current" {
  const { payload } = policy;
  if (!isSignedBy(DOMAIN, policy, context.keys)) throw new MusterError("policy.signature-invalid");
  if (payload.device !== context.device)
    throw new MusterError("policy.wrong-audience", `The policy is for ${payload.device}.`);
  if (payload.generation < context.generation)
    throw new MusterError(
      "policy.replayed",
      `The policy has generation ${payload.generation}; ${context.generation} is accepted already.`,
    );
  if (payload.generation === context.generation) return "current";
  if (payload.notAfter <= context.now)
    throw new MusterError(
      "policy.expired",
      `The policy ended at ${new Date(payload.notAfter).toISOString()}.`,
    );
  return "newer";
}
