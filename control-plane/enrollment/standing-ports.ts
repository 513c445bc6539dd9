import type { Broker } from "../broker/broker.ts";
import type { DeviceApi } from "../device-api/server.ts";
import type { Presence } from "../fleet/presence.ts";
import type { StandingPorts } from "./device-standing.ts";

/** Whom a change of standing concerns. */
export interface StandingParts {
  presence: Pick<Presence, "setStatus">;
  broker: Pick<Broker, "disconnect" | "publishDown">;
  /** Undefined before it listens. */
  deviceApi(): Pick<DeviceApi, "disconnect"> | undefined;
  log(fields: object, message: string): void;
  onError(error: unknown): void;
}

/** What follows at once from a change of standing: sessions end, and what waits at the broker comes or goes. */
export function standingPorts(parts: StandingParts): Omit<StandingPorts, "tokens" | "commands"> {
  const { presence, broker, log, onError } = parts;
  const retain = (device: string, channel: "desired" | "command", document: string | null) =>
    void broker.publishDown(device, channel, document ?? "", { retain: true }).catch(onError);
  return {
    onRevoked: (device, reason) => {
      presence.setStatus(device, "revoked");
      broker.disconnect(device);
      parts.deviceApi()?.disconnect(device);
      log({ device, reason }, "device revoked");
    },
    onQuarantined: (device, reason) => {
      presence.setStatus(device, "quarantined");
      // An empty retained message takes the one before away (MQTT 3.1.1 section 3.3.1.3).
      retain(device, "desired", null);
      log({ device, reason }, "device in quarantine");
    },
    onReleased: (device, directive) => {
      presence.setStatus(device, "active");
      if (directive !== null) retain(device, "desired", directive);
      log({ device }, "the quarantine of a device has ended");
    },
    onCommand: (device, document) => retain(device, "command", document),
  };
}
