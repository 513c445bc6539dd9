import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectAsync } from "mqtt";
import { Process } from "../../plant/process.ts";

const BROKER = fileURLToPath(new URL("./bare-broker.js", import.meta.url));

/** Seconds that the bare broker takes to acknowledge the payloads, by MQTT.js over mutual TLS, QoS 1. */
export async function bareSeconds(
  payloads: readonly string[],
  /** Payloads on the way without an acknowledgement. */
  window: number,
  caDirectory: string,
  identityDirectory: string,
  log: string,
): Promise<number> {
  const broker = new Process("the bare broker", BROKER, [caDirectory], { log });
  try {
    const { port } = await broker.document<{ port: number }>();
    const pem = (name: string) => readFileSync(join(identityDirectory, name));
    const client = await connectAsync(`mqtts://localhost:${port}`, {
      ca: pem("ca.crt"),
      cert: pem("device.crt"),
      key: pem("device.key"),
      reconnectPeriod: 0,
    });
    const queue = payloads.values();
    const started = performance.now();
    const lane = async () => {
      for (const payload of queue) await client.publishAsync("muster/v1/bench/up/batch", payload, { qos: 1 });
    };
    await Promise.all(Array.from({ length: window }, lane));
    const seconds = (performance.now() - started) / 1000;
    await client.endAsync();
    return seconds;
  } finally {
    await broker.stop();
  }
}
