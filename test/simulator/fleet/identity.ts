import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Credentials } from "../wire/session.ts";

/** A device that is enrolled, with what its enrollment answered. */
export interface FleetIdentity extends Credentials {
  /** Counts from 0 over the fleet; leads to its profile. */
  index: number;
  /** What it signs evidence with. */
  signing: SigningKey;
}

export interface EnrolledFleet {
  devices: FleetIdentity[];
  /** CA certificate, PEM. */
  ca: string;
  /** TUF root metadata, JSON text. */
  tufRoot: string;
  /** `mqtts://host:port` */
  mqttUrl: string;
}
