import { MusterError } from "@muster/shared/errors";
import type { PolicyContent } from "../policy/policy.ts";

type Asked = PolicyContent["pcrs"];

interface OpenChallenge {
  readonly nonce: string;
  readonly session: string;
  readonly asked: Asked;
  readonly notAfter: number;
}

interface DeviceChallenges {
  open: OpenChallenge | null;
  /** Nonces that were answered or replaced, newest last. */
  past: readonly { nonce: string; why: "used" | "replaced" }[];
}

/** Bytes of a nonce. */
const NONCE_BYTES = 32;
/** Past nonces remembered of a device, so that its refusal can say what happened. */
const MOST_PAST = 4;

/**
 * Nonces in flight: one for each device, good for one answer in one session and for a short time. They live in memory:
 * after a restart none is valid, and whoever answers an old one is asked again.
 */
export class Challenges {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #devices = new Map<string, DeviceChallenges>();

  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
  }

  /** A new nonce for a device; the one before is worth nothing from now on. */
  open(device: string, session: string, asked: Asked, notAfter: number): string {
    const nonce = Buffer.from(this.#random(NONCE_BYTES)).toString("hex");
    const former = this.#devices.get(device);
    this.#devices.set(device, {
      open: { nonce, session, asked, notAfter },
      past: former?.open ? remember(former.past, former.open.nonce, "replaced") : (former?.past ?? []),
    });
    return nonce;
  }

  /** Until when an answer is awaited in this session; undefined where none is. */
  awaited(device: string, session: string, now: number): number | undefined {
    const open = this.#devices.get(device)?.open;
    return open?.session === session && now <= open.notAfter ? open.notAfter : undefined;
  }

  /**
   * Takes an answer: its nonce is used up. Answers what the challenge had asked for.
   * @param current session of the device now
   * @throws MusterError `attestation.nonce-unknown`, `attestation.nonce-used`, `attestation.nonce-expired`,
   * `attestation.nonce-foreign`
   */
  answer(
    device: string,
    given: { nonce: string; session: string | null },
    current: string | null,
    now: number,
  ): Asked {
    const known = this.#devices.get(device);
    const open = known?.open;
    if (!known || open?.nonce !== given.nonce) throw refusalOf(known, given.nonce);
    known.open = null;
    known.past = remember(known.past, open.nonce, "used");
    if (now > open.notAfter) throw new MusterError("attestation.nonce-expired");
    if (given.session !== open.session || open.session !== current)
      throw new MusterError("attestation.nonce-foreign");
    return open.asked;
  }
}

const remember = (
  past: DeviceChallenges["past"],
  nonce: string,
  why: "used" | "replaced",
): DeviceChallenges["past"] => [...past, { nonce, why }].slice(-MOST_PAST);

function refusalOf(known: DeviceChallenges | undefined, nonce: string): MusterError {
  const past = known?.past.find((each) => each.nonce === nonce);
  return new MusterError(
    past === undefined
      ? "attestation.nonce-unknown"
      : past.why === "used"
        ? "attestation.nonce-used"
        : "attestation.nonce-expired",
  );
}
