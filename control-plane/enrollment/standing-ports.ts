import type { Broker } from "../broker/broker.ts";
import type { DeviceApi } from "../device-api/server.ts";
import type { Presence } from "../fleet/presence.ts";
import type { DirectiveDesk } from "../rollouts/directive-desk.ts";
import type { StandingPorts } from "./device-standing.ts";

/** Whom a change of standing concerns. */
export interface StandingParts {
  presence: Pick<Presence, "setStatus">;
  broker: Pick<Broker, "disconnect" | "publishDown">;
  desk: Pick<DirectiveDesk, "offer">;
  /** Undefined before it listens. */
  deviceApi(): Pick<DeviceApi, "disconnect"> | undefined;
  log(fields: object, message: string): void;
  onError(error: unknown): void;
}

/** What follows at once from a change of standing: sessions end, and what waits at the broker comes or goes. */
export function standingPorts(parts: StandingParts): Omit<StandingPorts, "tokens" | "commands"> {
  const { presence, broker, desk, log, onError } = parts;
  const command = (device: string, document: string | null) =>
    void broker.publishDown(device, "command", document ?? "", { retain: true }).catch(onError);
  return {
    onRevoked: (device, reason) => {
      presence.setStatus(device, "revoked");
      broker.disconnect(device);
      parts.deviceApi()?.disconnect(device);
      // It gets nothing any more: what lay there for it goes.
      desk.offer(device).catch(onError);
      command(device, null);
      log({ device, reason }, "device revoked");
    },
    onQuarantined: (device, reason) => {
      presence.setStatus(device, "quarantined");
      desk.offer(device).catch(onError);
      log({ device, reason }, "device in quarantine");
    },
    onReleased: (device) => {
      presence.setStatus(device, "active");
      desk.offer(device).catch(onError);
      log({ device }, "the quarantine of a device has ended");
    },
    onCommand: command,
  };
}
