import { setTimeout as sleep } from "node:timers/promises";
import { Ack } from "@muster/shared/protocol/messages";
import { decodeMessage } from "@muster/shared/protocol/wire";
import type { FleetIdentity } from "../../simulator/fleet/identity.ts";
import { type Broker, WireSession } from "../../simulator/wire/session.ts";
import { batchText, heartbeatText, RESULTS } from "./traffic.ts";

/** Heartbeats beside each batch, as in the fleet: every 30 s against every 60 s. */
const BEATS_PER_BATCH = 2;
const MESSAGES = 1 + BEATS_PER_BATCH;
/** Connections that are opened at once: the pace of the control plane lets 150 a second in. */
const OPENING = 20;

/**
 * Batches on the way of all devices together: more than the control plane writes at once, so that it never waits
 * for us, and fewer than its queue takes, beyond which it rightly turns devices away.
 */
const OUTSTANDING = 1_500;

interface Lane {
  session: WireSession;
  /** Batches. */
  sent: number;
  stored: number;
}

export interface FloodOptions {
  broker: Broker;
  devices: readonly FleetIdentity[];
  /** What lets a device send the next batch: its storage, or only that the broker has it. */
  until: "stored" | "taken";
  /** Begins the ids of sessions and outboxes. */
  run: string;
  seconds: number;
  /** Seconds of the same traffic before the count begins. */
  warmUpSeconds: number;
}

/** Messages a second that get through when every device sends its next batch once the one before has arrived. */
export async function flood(options: FloodOptions): Promise<number> {
  const { devices, seconds, warmUpSeconds } = options;
  let arrived = 0;
  let isOn = false;
  let broken = 0;
  const window = Math.max(1, Math.round(OUTSTANDING / devices.length));
  const lanes: Lane[] = [];
  const send = (lane: Lane, index: number) => {
    for (let beat = 1; beat <= BEATS_PER_BATCH; beat += 1)
      lane.session.publish("heartbeat", heartbeatText(options.run, lane.sent * BEATS_PER_BATCH + beat), 0);
    lane.session.publish("batch", batchText(options.run, index, lane.sent), 1);
    lane.sent += 1;
  };
  const open = (device: FleetIdentity, index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const advance = (stored: number) => {
        const more = Math.max(0, stored - lane.stored);
        lane.stored += more;
        arrived += more * MESSAGES;
        for (let count = 0; count < more && isOn; count += 1) send(lane, index);
      };
      const session = new WireSession(
        options.broker,
        device,
        {
          will: JSON.stringify({ v: 1, session: `${options.run}-session` }),
          keepaliveSeconds: 60,
          connectTimeoutMs: 60_000,
        },
        {
          online: resolve,
          lost: () => {
            broken += 1;
            reject(new Error("a device of the flood was turned away"));
          },
          message: (channel, payload) => {
            if (options.until === "stored" && channel === "ack") advance(storedBatches(payload, options.run));
          },
          ...(options.until === "taken" ? { taken: () => advance(lane.stored + 1) } : {}),
        },
      );
      const lane: Lane = { session, sent: 0, stored: 0 };
      lanes[index] = lane;
    });
  const queue = devices.entries();
  const opener = async () => {
    for (const [index, device] of queue) await open(device, index);
  };
  try {
    await Promise.all(Array.from({ length: OPENING }, opener));
    isOn = true;
    for (const [index, lane] of lanes.entries())
      for (let batch = 0; batch < window; batch += 1) send(lane, index);
    await sleep(warmUpSeconds * 1000);
    const [before, began] = [arrived, performance.now()];
    await sleep(seconds * 1000);
    if (broken > 0) throw new Error(`${broken} connections broke in the flood`);
    return (arrived - before) / ((performance.now() - began) / 1000);
  } finally {
    isOn = false;
    for (const lane of lanes) lane?.session.destroy();
  }
}

/** One acknowledgement may cover many batches. */
function storedBatches(payload: Uint8Array, run: string): number {
  const { outbox, upTo } = decodeMessage(Ack, payload);
  return outbox.startsWith(run) ? upTo / RESULTS : 0;
}
