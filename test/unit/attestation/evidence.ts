import type { Place } from "@muster/agent/attestation/chain";
import { type Evidence, signEvidence } from "@muster/shared/protocol/evidence";
import { sha256 } from "@muster/shared/trust/digest";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const KEY = signingKeyFrom(Buffer.alloc(32, 3));

/** Evidence of a device without a TPM at this place of its chain; `bytes` makes it so large. */
export const evidenceAt = (
  chain: Place,
  { at = 1, nonce = null, bytes = 0 }: { at?: number; nonce?: string | null; bytes?: number } = {},
): Evidence =>
  signEvidence(
    {
      v: 1,
      device: `d${"a".repeat(20)}`,
      nonce,
      session: nonce === null ? null : "session-1",
      at,
      chain,
      measurement: {
        boot: "boot-0001",
        agent: { version: "1.0.0", digest: sha256("agent") },
        journal: { generation: 0, phase: null, head: sha256("journal") },
        release: null,
        runner: "idle",
        components:
          bytes === 0 ? [] : [{ type: "config", name: "x".repeat(bytes), version: "1", digest: sha256("c") }],
        rolledBack: false,
      },
      tpm: null,
    },
    KEY,
  );
