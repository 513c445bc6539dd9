import { writeSync } from "node:fs";
import { Readable } from "node:stream";
import { UpdateEngine } from "@muster/agent/update/engine";
import type { HttpPort, JournalRecord } from "@muster/agent/update/ports";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { portsOn } from "./world.ts";

/** What the parent asks of this process: which directive, and at which point the power goes. */
export interface DeviceOrder {
  dataDir: string;
  url: string;
  directive: string;
  generation: number;
  killAt: number;
  /** Points count from here on: from the start, or from the staged candidate. */
  from: "start" | "fetched";
}

const { dataDir, url, directive, generation, killAt, from } = JSON.parse(
  process.argv[2] ?? "{}",
) as DeviceOrder;

let counting = from === "start";
let points = 0;
/** Counts a point between two instructions that matter; at the chosen one nothing more happens. */
const point = (): void => {
  if (!counting) return;
  points += 1;
  if (points === killAt) process.kill(process.pid, "SIGKILL");
};

const { ports, inference, outbox } = portsOn(dataDir, () => url);
inference.onCall = point;
const { http } = ports;
const killable: HttpPort = {
  request: async (what) => {
    point();
    const { status, headers, body } = await http.request(what);
    async function* chunks() {
      for await (const chunk of body) {
        if (what.path.startsWith(DEVICE_API.artifacts)) point();
        yield chunk as Buffer;
      }
    }
    return { status, headers, body: Readable.from(chunks(), { objectMode: false }) };
  },
};
const engine = new UpdateEngine({
  ...ports,
  http: killable,
  outbox: {
    append: (records: JournalRecord[]) => {
      outbox.append(records);
      point();
    },
  },
});
const told = (): void => {
  counting ||= engine.state().update?.phase === from;
  point();
  writeSync(1, `${outbox.position().lastSeq}\n`);
  const { update, lastResult } = engine.state();
  if (update === null && lastResult?.generation === generation) setTimeout(() => process.exit(0), 30);
};
engine.onChange(told);
await engine.start();
point();
await engine.offer(directive, "mqtt");
told();
