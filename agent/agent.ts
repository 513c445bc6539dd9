import { attest } from "./attest.ts";
import { openBox, openIdentity, openKeys, socketOf } from "./box.ts";
import { eraseRest, refuseDecommissioned } from "./commands/decommissioned.ts";
import type { Settings } from "./config/settings.ts";
import { runLocally } from "./local.ts";
import { LocalApi } from "./local-api/local-api.ts";
import type { Log } from "./log.ts";
import { obey } from "./obey.ts";
import { connect, enrollmentOrder } from "./online.ts";
import { statusOf } from "./status.ts";
import { ownDirectory, privateDirectory } from "./storage/files.ts";
import { AGENT_VERSION } from "./version.ts";

/** The running agent. */
export interface Agent {
  /** Says goodbye and ends every part, the last one started first. */
  stop(): Promise<void>;
}

/**
 * Starts the agent part by part: what runs locally first, the network last, so that a box without a network
 * serves what it served before.
 * @param failed told when it cannot go on, e.g. because its join token is spent
 * @throws MusterError `agent.running`, `agent.decommissioned`, `enrollment.missing`, `settings.invalid`, of the `storage.` family
 */
export async function startAgent(
  settings: Settings,
  log: Log,
  failed: (error: unknown) => void,
): Promise<Agent> {
  const ends: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    let status = (): unknown => ({ version: AGENT_VERSION });
    await ownDirectory(settings.data);
    await privateDirectory(`${settings.data}/run`);
    const localApi = await LocalApi.listen(socketOf(settings), () => status());
    ends.push(() => localApi.close());
    await refuseDecommissioned(settings.data);
    ends.push(() => eraseRest(settings.data));
    const box = await openBox(settings, log);
    ends.push(() => box.database.close());
    ends.push(() => box.tpm.close());
    const identity = await openIdentity(box);
    if (!identity.closedBy) enrollmentOrder(settings, identity);
    const local = await runLocally(box, identity, log, ends);
    const attestation = attest(box, identity, local, log, ends);
    status = () => ({ ...statusOf(box, identity, local, attestation), link: null });
    const connecting = new AbortController();
    ends.push(() => connecting.abort());
    const commands = obey(box, identity, local, log, failed);
    void commands.resume();
    openKeys(box, identity, log, connecting.signal);
    identity.opened
      .then(() => connect(box, identity, local, attestation, commands, log, ends, connecting.signal))
      .then((link) => {
        if (link) status = () => ({ ...statusOf(box, identity, local, attestation), link: link.status() });
      })
      .catch(failed);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
