import type { IClientOptions, MqttClient } from "mqtt";
import type { Broker } from "./config.ts";
import { readOwned, readSecret } from "./secrets.ts";

const RECONNECT_MS = 1000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Opens the line to a local broker; it comes back by itself. The package is loaded only here: a feeder without
 * brokers stays small.
 * @throws MusterError `settings.invalid` when a file that is named cannot be read
 */
export async function openLine(broker: Broker, more: IClientOptions): Promise<MqttClient> {
  const { url, username, passwordFile, caFile, certFile, keyFile } = broker;
  const options: IClientOptions = {
    protocolVersion: 4,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...more,
    ...(username !== undefined && { username }),
    ...(passwordFile !== undefined && { password: await readSecret(passwordFile) }),
    ...(caFile !== undefined && { ca: await readOwned(caFile) }),
    ...(certFile !== undefined && { cert: await readOwned(certFile) }),
    ...(keyFile !== undefined && { key: await readOwned(keyFile) }),
  };
  const { connect } = await import("mqtt");
  return connect(url, options);
}
