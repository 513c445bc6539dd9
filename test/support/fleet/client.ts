import { request } from "node:https";
import type { Problem } from "@muster/shared/protocol/device-api";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";

export interface Credentials {
  id: string;
  key: string;
  certificate: string;
}

/** An MQTT client with the device's certificate; resolves when it is connected, rejects when it is refused. */
export function connectMqtt(
  fleet: { mqttPort: number; authority: { certificate: string } },
  device: Credentials,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = mqtt.connect(`mqtts://localhost:${fleet.mqttPort}`, {
    clientId: device.id,
    key: device.key,
    cert: device.certificate,
    ca: fleet.authority.certificate,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  });
  return new Promise((resolve, reject) => {
    client.once("connect", () => resolve(client));
    // Stays for good: a connection that the broker cuts ends in an error as often as in a close.
    client.on("error", (error) => {
      client.end(true);
      reject(error);
    });
    client.once("close", () => reject(new Error("closed")));
  });
}

/** Arguments of the next event of this kind. */
export const next = (client: MqttClient, event: "message" | "close"): Promise<unknown[]> =>
  new Promise((resolve) => {
    client.once(event, (...values: unknown[]) => resolve(values));
  });

export interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
  problem(): Problem;
}

/** One HTTPS request to the device listener, with the device's certificate where one is given. */
export function askDeviceApi(
  fleet: { httpsPort: number; authority: { certificate: string } },
  path: string,
  options: {
    device?: { key: string; certificate: string };
    method?: string;
    body?: unknown;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const { device, method = "GET", body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "localhost",
        port: fleet.httpsPort,
        path,
        method,
        ca: fleet.authority.certificate,
        agent: false,
        headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
        ...(device ? { key: device.key, cert: device.certificate } : {}),
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const problem = () => JSON.parse(text) as Problem;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, problem });
        });
      },
    );
    call.on("error", reject);
    call.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  });
}
