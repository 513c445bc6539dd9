import { X509Certificate } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import { DEVICE_API, type EnrollRequest, EnrollResponse } from "@muster/shared/protocol/device-api";
import { parseJson } from "@muster/shared/protocol/validate";
import { caPinOf } from "@muster/shared/trust/join-token";
import type { DeviceProfile } from "../device/profile.ts";
import { DeviceApiClient } from "../wire/https.ts";
import type { EnrolledFleet, FleetIdentity } from "./identity.ts";
import { type DeviceKeys, deviceKeys } from "./keys.ts";

/** Enrollments under way at once: enough to keep the control plane busy, few enough to be no attack. */
const AT_ONCE = 8;

export interface JoinTokenOfSite {
  id: string;
  secret: string;
  /** SHA-256 of the CA certificate, base64url. */
  caPin: string;
}

/**
 * The CA certificate of a control plane that is known by its pin only, as a device gets it.
 * @throws MusterError `enrollment.pin-mismatch`, `request.unreachable`
 */
async function pinnedCa(deviceUrl: string, caPin: string): Promise<string> {
  const open = new DeviceApiClient(deviceUrl, undefined, 1);
  try {
    const ca = await open.ask("GET", DEVICE_API.ca);
    if (caPinOf(new X509Certificate(ca).raw) !== caPin) throw new MusterError("enrollment.pin-mismatch");
    return ca;
  } finally {
    open.close();
  }
}

/**
 * Enrolls every profile through the real device API, each with a key of its own.
 * @param tokens by site
 * @param onProgress told the number enrolled so far
 * @throws MusterError as the control plane answers
 */
export async function enrollFleet(
  deviceUrl: string,
  profiles: readonly DeviceProfile[],
  tokens: ReadonlyMap<string, JoinTokenOfSite>,
  seed: number,
  onProgress: (enrolled: number) => void,
): Promise<EnrolledFleet> {
  const [first] = tokens.values();
  if (!first) throw new MusterError("scenario.invalid", "A fleet has at least one site.");
  const ca = await pinnedCa(deviceUrl, first.caPin);
  const api = new DeviceApiClient(deviceUrl, ca, AT_ONCE);
  const keys = deviceKeys(seed, profiles.length);
  const devices: FleetIdentity[] = [];
  let last: EnrollResponse | undefined;
  const todo = profiles.values();
  // Keys are made one after the other, enrollments overlap: the iterators are shared by all workers.
  const worker = async (): Promise<void> => {
    for (const profile of todo) {
      const next = await keys.next();
      const token = tokens.get(profile.site);
      if (next.done || !token) throw new MusterError("internal.unexpected", "A device lacks key or token.");
      last = await enrollOne(api, profile, next.value, token);
      const { id, key, signing } = next.value;
      devices.push({ index: profile.index, id, key, signing, certificate: last.certificate });
      onProgress(devices.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    api.close();
  }
  if (!last) throw new MusterError("scenario.invalid", "A fleet has at least one device.");
  devices.sort((a, b) => a.index - b.index);
  return { devices, ca, tufRoot: last.tufRoot, mqttUrl: last.mqttUrl };
}

async function enrollOne(
  api: DeviceApiClient,
  { name, labels, hardware }: DeviceProfile,
  { csr, signing, sealingKey }: DeviceKeys,
  token: JoinTokenOfSite,
): Promise<EnrollResponse> {
  const body: EnrollRequest = {
    token: `${token.id}.${token.secret}`,
    csr,
    signingKey: signing.publicKey,
    sealingKey,
    name,
    labels,
    hardware,
  };
  return parseJson(EnrollResponse, await api.ask("POST", DEVICE_API.enroll, body), "wire.malformed");
}
