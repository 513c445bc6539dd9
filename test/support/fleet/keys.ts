import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { buildCsr } from "@muster/agent/identity/csr";
import type { EnrollRequest } from "@muster/shared/protocol/device-api";
import { deviceIdOf } from "@muster/shared/trust/digest";

/** Keys of a device that exists only in a test. */
export interface TestDevice {
  id: string;
  key: string;
  csr: string;
  signingKey: string;
  sealingKey: string;
}

export const HARDWARE: EnrollRequest["hardware"] = {
  platform: "linux",
  arch: "x64",
  cpuModel: "test cpu",
  cores: 2,
  memoryMiB: 4096,
  opset: 26,
  providers: ["cpu"],
};

export function rsaKey(bits = 2048): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

export async function newDevice(): Promise<TestDevice> {
  const key = rsaKey();
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const id = deviceIdOf(spki);
  const [signingKey, sealingKey] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
  return { id, key, csr: await buildCsr(id, key), signingKey, sealingKey };
}

export const enrollRequest = (
  device: TestDevice,
  token: { id: string; secret: string },
  more: Partial<EnrollRequest> = {},
): EnrollRequest => ({
  token: `${token.id}.${token.secret}`,
  csr: device.csr,
  signingKey: device.signingKey,
  sealingKey: device.sealingKey,
  hardware: HARDWARE,
  ...more,
});
