import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { AssuranceLevel } from "@muster/shared/protocol/device-api";
import { DeviceId, Millis } from "@muster/shared/protocol/primitives";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";
import { readIfThere, writeAtomically } from "../storage/files.ts";
import { checkCertificate } from "./certificate.ts";
import type { DeviceKeys } from "./keys.ts";

const EnrollmentFile = Type.Object({
  device: DeviceId,
  server: Type.String(),
  mqttUrl: Type.String(),
  /** Id of the join token, not its secret. */
  token: Type.String(),
  at: Millis,
  /** How sure the control plane was of who enrolled. */
  assurance: AssuranceLevel,
});
export type EnrollmentFile = Static<typeof EnrollmentFile>;

/** What an enrolled device knows about its fleet. `ca` and `certificate` are PEM. */
export interface Enrollment extends EnrollmentFile {
  ca: string;
  certificate: string;
}

const paths = (directory: string) => ({
  ca: join(directory, "ca.crt"),
  certificate: join(directory, "device.crt"),
  enrollment: join(directory, "enrollment.json"),
});

/**
 * The enrollment in `directory`, or undefined when there is none.
 * @throws MusterError `settings.invalid` when its files do not belong together
 */
export async function readEnrollment(directory: string, keys: DeviceKeys): Promise<Enrollment | undefined> {
  const at = paths(directory);
  const file = await readEnrollmentFile(directory);
  if (!file) return undefined;
  const certificate = (await readIfThere(at.certificate)) ?? "";
  const ca = (await readIfThere(at.ca)) ?? "";
  try {
    checkCertificate(certificate, ca, file.device, keys.tlsKey);
  } catch (cause) {
    throw new MusterError(
      "settings.invalid",
      `The files in ${directory} do not belong together; restore them, or move the directory away and enroll again.`,
      { cause },
    );
  }
  return { ...file, certificate, ca };
}

/** What is known of the enrollment without the keys; undefined for none. @throws MusterError `settings.invalid` */
export async function readEnrollmentFile(directory: string): Promise<EnrollmentFile | undefined> {
  const text = await readIfThere(paths(directory).enrollment);
  return text === undefined ? undefined : parseJson(EnrollmentFile, text, "settings.invalid");
}

/** Makes the device enrolled. `enrollment.json` comes last: without it the device is not. */
export async function writeEnrollment(directory: string, enrollment: Enrollment): Promise<void> {
  const at = paths(directory);
  const { certificate, ca, ...file } = enrollment;
  await writeAtomically(at.ca, ca, 0o644);
  await writeAtomically(at.certificate, certificate, 0o644);
  await writeAtomically(at.enrollment, `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

/** Puts a renewed certificate in place. */
export const writeCertificate = (directory: string, certificate: string): Promise<void> =>
  writeAtomically(paths(directory).certificate, certificate, 0o644);
