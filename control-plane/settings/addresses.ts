import { hostname } from "node:os";
import type { ControlPlaneSettings } from "./settings.ts";

/** The name that devices should use: the first public one, else where the listeners are bound. */
export function deviceHostName(settings: Pick<ControlPlaneSettings, "publicHosts" | "deviceHost">): string {
  const { publicHosts, deviceHost } = settings;
  const isEverywhere = deviceHost === "0.0.0.0" || deviceHost === "::";
  return publicHosts[0] ?? (isEverywhere ? hostname() : deviceHost);
}

/** A host as URLs want it: IPv6 addresses in brackets. */
export const inUrl = (host: string): string =>
  host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;

/** Whether what is sent to this address crosses a network unencrypted: plain HTTP is for loopback alone. */
export const isInTheClear = ({ protocol, hostname: host }: URL): boolean =>
  protocol !== "https:" && !["127.0.0.1", "[::1]", "localhost"].includes(host);
