import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { DeviceHttp } from "../link/device-http.ts";
import type { Identity } from "./identity.ts";

export interface RenewalPorts {
  identity: Identity;
  http: DeviceHttp;
  /** Time between looks at the certificate's age, milliseconds. */
  checkMs: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  renewed: () => void;
  /** The old certificate stays; it is tried again at the next look. */
  failed: (error: MusterError) => void;
}

/** Looks at the certificate's age now and then, and renews it in time. @returns a function that ends it */
export function keepRenewed(ports: RenewalPorts): () => void {
  let isBusy = false;
  const look = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    try {
      if (await ports.identity.renewIfDue(ports.http, ports.now())) ports.renewed();
    } catch (error) {
      ports.failed(asMusterError(error));
    } finally {
      isBusy = false;
    }
  };
  const timer = setInterval(() => void look(), ports.checkMs);
  void look();
  return () => clearInterval(timer);
}
