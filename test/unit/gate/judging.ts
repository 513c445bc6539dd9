import { noDevices } from "@muster/control-plane/rollouts/counts";
import type { GateInput } from "@muster/control-plane/rollouts/gate/input";
import { completeGate, type GatePlanInput } from "@muster/control-plane/rollouts/gate/plan";
import { placeWagers, type Wagers } from "@muster/control-plane/rollouts/gate/wagers";
import { BLOCK_MS, type Fleet, OPENED_AT, SOAK_SECONDS } from "./heartbeats.ts";

export const TIMEOUT_SECONDS = 600;

/** A wave all of whose devices have succeeded long ago, with what `fleet` measured; judged after `blocks` blocks. */
export function judged(
  fleet: Fleet,
  gate: GatePlanInput,
  more: Partial<GateInput> & { blocks?: number; seed?: number; wagers?: Wagers | null } = {},
): GateInput {
  const { blocks = 2, seed = 1, wagers = null, ...given } = more;
  const plan = completeGate({ soakSeconds: SOAK_SECONDS, ...gate });
  const now = OPENED_AT + blocks * BLOCK_MS + 3000;
  const { exposures } = fleet;
  const placed = placeWagers(wagers, { plan, seed, wave: 0, openedAt: OPENED_AT, exposures, now });
  const counts = { ...noDevices(), total: 4, succeeded: 4 };
  return {
    number: 1,
    wave: counts,
    all: counts,
    isLast: false,
    plan,
    timeoutSeconds: TIMEOUT_SECONDS,
    openedAt: OPENED_AT,
    heldSince: now - SOAK_SECONDS * 1000,
    now,
    members: [],
    evidence: { exposures, wagers: placed },
    attested: null,
    ...given,
  };
}
