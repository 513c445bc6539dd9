import { identityOf, openBox, socketOf } from "./box.ts";
import type { Settings } from "./config/settings.ts";
import { runLocally } from "./local.ts";
import { LocalApi } from "./local-api/local-api.ts";
import type { Log } from "./log.ts";
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
 * @throws MusterError `agent.running`, `enrollment.missing`, `settings.invalid`, of the `storage.` family
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
    const box = await openBox(settings, log);
    ends.push(() => box.database.close());
    const identity = await identityOf(settings);
    const order = enrollmentOrder(settings, identity);
    const local = await runLocally(box, identity, log, ends);
    status = () => ({ ...statusOf(box, identity, local), link: null });
    const connecting = new AbortController();
    ends.push(() => connecting.abort());
    connect(box, identity, local, order, log, ends, connecting.signal)
      .then((link) => {
        if (link) status = () => ({ ...statusOf(box, identity, local), link: link.status() });
      })
      .catch(failed);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
