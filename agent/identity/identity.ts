import { MusterError } from "@muster/shared/errors";
import { DEVICE_API, RenewResponse } from "@muster/shared/protocol/device-api";
import { parseJson } from "@muster/shared/protocol/validate";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import type { DeviceHttp, TlsMaterial } from "../link/device-http.ts";
import { postJson } from "../link/response.ts";
import type { EnrollingTpm } from "./activate.ts";
import { checkCertificate, parseCertificate, renewAt } from "./certificate.ts";
import { buildCsr } from "./csr.ts";
import { type EnrollOrder, requestEnrollment } from "./enroll.ts";
import {
  type Enrollment,
  enrolledDevice,
  readEnrollment,
  writeCertificate,
  writeEnrollment,
} from "./enrollment-file.ts";
import { isSealed, type Sealer } from "./key-vault.ts";
import { type DeviceKeys, openKeys, passingKeys } from "./keys.ts";

/** Keeps the TUF root that enrollment vouches for; called before the device counts as enrolled. */
export type PinRoot = (tufRoot: string) => Promise<void> | void;

/** What an identity needs of a TPM. */
export type IdentityTpm = EnrollingTpm & Sealer;

/** Who this device is: its keys and, once enrolled, its certificate and fleet. */
export class Identity {
  readonly keys: DeviceKeys;
  /** Why its real keys are closed: then those here are good for nothing outside this process. */
  readonly lockedBy: MusterError | undefined;
  readonly #directory: string;
  readonly #tpm: EnrollingTpm | undefined;
  #enrollment: Enrollment | undefined;

  private constructor(
    directory: string,
    tpm: EnrollingTpm | undefined,
    keys: DeviceKeys,
    enrollment: Enrollment | undefined,
    lockedBy?: MusterError,
  ) {
    this.lockedBy = lockedBy;
    this.#directory = directory;
    this.#tpm = tpm;
    this.keys = keys;
    this.#enrollment = enrollment;
  }

  /**
   * Opens `directory` (`<data>/identity`) and makes the keys on first use.
   * @throws MusterError `settings.invalid`, `enrollment.keys-sealed`
   */
  static async open(directory: string, tpm?: IdentityTpm): Promise<Identity> {
    const keys = await openKeys(directory, tpm);
    return new Identity(directory, tpm, keys, await readEnrollment(directory, keys));
  }

  /**
   * Who the device was before its keys could not be opened: good for what runs without the control plane.
   * @param why the keys stay closed
   * @returns undefined where no sealed keys are, or the device never was enrolled
   */
  static async locked(directory: string, why: MusterError): Promise<Identity | undefined> {
    const device = (await isSealed(directory)) ? await enrolledDevice(directory) : undefined;
    return device === undefined
      ? undefined
      : new Identity(directory, undefined, passingKeys(device), undefined, why);
  }

  get enrollment(): Enrollment | undefined {
    return this.#enrollment;
  }

  /** True without a certificate that is still good. `now` in milliseconds since the epoch. */
  needsEnrollment(now: number): boolean {
    return !this.#enrollment || Date.parse(parseCertificate(this.#enrollment.certificate).validTo) <= now;
  }

  /** @throws MusterError `enrollment.missing` */
  tls(): TlsMaterial {
    if (this.lockedBy) throw this.lockedBy;
    if (!this.#enrollment) throw new MusterError("enrollment.missing");
    return { ca: this.#enrollment.ca, cert: this.#enrollment.certificate, key: this.keys.tlsKey };
  }

  /**
   * Enrolls the device. Repeating it with the same token changes nothing; another token is taken only when the
   * certificate has expired, which is the way back for a box that was off for long.
   * @returns false when the device was enrolled already
   * @throws MusterError `request.conflict` when it is enrolled by another token, or as `requestEnrollment`
   */
  async enroll(order: EnrollOrder, pinRoot: PinRoot): Promise<boolean> {
    if (this.lockedBy) throw this.lockedBy;
    const known = this.#enrollment;
    const expired =
      known !== undefined && Date.parse(parseCertificate(known.certificate).validTo) <= order.now;
    if (known && !expired) {
      if (known.token === parseJoinToken(order.token).id) return false;
      throw new MusterError(
        "request.conflict",
        `This device is enrolled as ${known.device} at ${known.server} by another token. To enroll it as a new device, stop the agent and move ${this.#directory} away.`,
      );
    }
    const { enrollment, tufRoot } = await requestEnrollment(this.keys, this.#tpm, order);
    if (known && known.ca !== enrollment.ca)
      throw new MusterError(
        "enrollment.pin-mismatch",
        "The join token is of another fleet than this device.",
      );
    if (!known) await pinRoot(tufRoot);
    await writeEnrollment(this.#directory, enrollment);
    this.#enrollment = enrollment;
    return true;
  }

  /** Time from which the certificate is to be renewed, milliseconds since the epoch. */
  renewAt(): number {
    return renewAt(parseCertificate(this.tls().cert ?? ""));
  }

  /**
   * Renews the certificate when two thirds of its life are over; the key stays.
   * @returns true when there is a new certificate
   * @throws MusterError of the families `certificate.` and `request.`; then the old one stays
   */
  async renewIfDue(http: DeviceHttp, now: number): Promise<boolean> {
    const known = this.#enrollment;
    if (!known || now < this.renewAt()) return false;
    const csr = await buildCsr(this.keys.device, this.keys.tlsKey);
    const { certificate } = parseJson(
      RenewResponse,
      await postJson(http, DEVICE_API.renew, { csr }),
      "wire.malformed",
    );
    checkCertificate(certificate, known.ca, this.keys.device, this.keys.tlsKey);
    await writeCertificate(this.#directory, certificate);
    this.#enrollment = { ...known, certificate };
    return true;
  }
}
