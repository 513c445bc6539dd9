import { measureAgentCode } from "./attestation/agent-code.ts";
import { Attestation } from "./attestation/attestation.ts";
import type { Running } from "./attestation/ports.ts";
import type { Box } from "./box.ts";
import { attestationSettings } from "./config/module-settings.ts";
import type { Identity } from "./identity/identity.ts";
import type { Ends, Local } from "./local.ts";
import type { Log } from "./log.ts";
import { AGENT_VERSION } from "./version.ts";

/** Begins to make evidence of what runs, once there are keys to sign it; nothing waits for it. */
export function attest(box: Box, identity: Identity, { engine }: Local, log: Log, ends: Ends): Attestation {
  const { settings, database, outbox, boot, notices, tpm } = box;
  const attestation = new Attestation(
    {
      device: identity.device,
      key: () => identity.keys.signing,
      ...{ database, outbox, boot },
      agentVersion: AGENT_VERSION,
      codeDigest: () => measureAgentCode(),
      running: (): Running => {
        const { head, proven } = engine.journalNow();
        const state = engine.state();
        return { state, journalHead: head, settled: proven || state.runner === "failed" };
      },
      tpm: () => tpm.get(),
      notice: (code, message) => notices.note(code, message),
      log: log.child({ part: "attestation" }),
      now: Date.now,
    },
    attestationSettings(settings),
  );
  engine.onChange(() => attestation.changed());
  ends.push(() => attestation.stop());
  void identity.opened.then(() => attestation.start());
  return attestation;
}
