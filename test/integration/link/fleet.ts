import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeviceKeys, openKeys } from "@muster/agent/identity/keys";
import type { TlsMaterial } from "@muster/agent/link/device-http";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";

/** A fleet's real CA, a server certificate for the loopback and the keys of one device. */
export interface Fleet {
  directory: string;
  authority: Authority;
  server: ServerIdentity;
  keys: DeviceKeys;
  tls: TlsMaterial;
  remove(): void;
}

export async function makeFleet(): Promise<Fleet> {
  const directory = mkdtempSync(join(tmpdir(), "muster-fleet-"));
  const now = Date.now();
  const authority = await Authority.open(join(directory, "ca"), now);
  const server = await ServerIdentity.open(authority, join(directory, "ca"), ["127.0.0.1", "localhost"], now);
  const keys = await openKeys(join(directory, "device"));
  const tls = deviceTls(authority, keys);
  return { directory, authority, server, keys, tls, remove: () => rmSync(directory, { recursive: true }) };
}

/** A client certificate for the device that ends after `days`. */
export function deviceTls(authority: Authority, keys: DeviceKeys, days = 30, now = Date.now()): TlsMaterial {
  const publicKey = createPublicKey(createPrivateKey(keys.tlsKey));
  const { pem } = authority.issueDevice(keys.device, publicKey, days, now);
  return { ca: authority.certificate, cert: pem, key: keys.tlsKey };
}
