import { asMusterError, MusterError } from "@muster/shared/errors";
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
  type EnrollmentFile,
  readEnrollment,
  readEnrollmentFile,
  writeCertificate,
  writeEnrollment,
} from "./enrollment-file.ts";
import type { Sealer } from "./key-vault.ts";
import { type DeviceKeys, openKeys } from "./keys.ts";

/** Keeps the TUF root that enrollment vouches for; called before the device counts as enrolled. */
export type PinRoot = (tufRoot: string) => Promise<void> | void;

/** What an identity needs of a TPM. */
export type IdentityTpm = EnrollingTpm & Sealer;

/** What is there once the keys are open. */
interface Opened {
  keys: DeviceKeys;
  tpm: EnrollingTpm | undefined;
  enrollment: Enrollment | undefined;
}

/**
 * Who this device is: its keys and, once enrolled, its certificate and fleet. The keys of an enrolled device may be
 * closed, because only its TPM opens them: its id is known all the same, and what runs locally needs no more.
 */
export class Identity {
  readonly device: string;
  /** Resolves when the keys are open. */
  readonly opened: Promise<void>;
  readonly #directory: string;
  readonly #file: EnrollmentFile | undefined;
  readonly #tellOpened: () => void;
  #open: Opened | undefined;
  /** Why the keys are closed. */
  #closedBy = new MusterError("enrollment.keys-closed");

  private constructor(directory: string, device: string, file: EnrollmentFile | undefined) {
    this.device = device;
    this.#directory = directory;
    this.#file = file;
    let tell = (): void => undefined;
    this.opened = new Promise((resolve) => {
      tell = resolve;
    });
    this.#tellOpened = tell;
  }

  /**
   * Opens `directory` (`<data>/identity`) and makes the keys on first use.
   * @throws MusterError `settings.invalid`, `enrollment.keys-sealed`, of the family `tpm.`
   */
  static async open(directory: string, tpm?: IdentityTpm): Promise<Identity> {
    const opened = await openAll(directory, tpm);
    const identity = new Identity(directory, opened.keys.device, opened.enrollment);
    identity.#take(opened);
    return identity;
  }

  /**
   * The device that was enrolled from `directory`, its keys still closed; see `unlock`.
   * @returns undefined where none was @throws MusterError `settings.invalid`
   */
  static async closed(directory: string): Promise<Identity | undefined> {
    const file = await readEnrollmentFile(directory);
    return file && new Identity(directory, file.device, file);
  }

  /**
   * Opens the keys; after a failure it may be called again.
   * @param tpm gives the TPM of the box, if it has one
   * @param notSealed as for `openKeys`
   * @throws MusterError as `open`, and what `tpm` throws
   */
  async unlock(
    tpm: () => Promise<IdentityTpm | undefined>,
    notSealed?: (error: MusterError) => void,
  ): Promise<void> {
    if (this.#open) return;
    try {
      const opened = await openAll(this.#directory, await tpm(), notSealed);
      if (opened.keys.device !== this.device)
        throw new MusterError(
          "settings.invalid",
          `The keys in ${this.#directory} are those of ${opened.keys.device}, and ${this.device} was enrolled.`,
        );
      this.#take(opened);
    } catch (cause) {
      const { message } = asMusterError(cause);
      this.#closedBy = new MusterError("enrollment.keys-closed", message, { cause });
      throw cause;
    }
  }

  #take(opened: Opened): void {
    this.#open = opened;
    this.#tellOpened();
  }

  /** Why the keys are closed; undefined where they are open. */
  get closedBy(): MusterError | undefined {
    return this.#open ? undefined : this.#closedBy;
  }

  /** @throws MusterError `enrollment.keys-closed` */
  get keys(): DeviceKeys {
    return this.#need().keys;
  }

  #need(): Opened {
    if (!this.#open) throw this.#closedBy;
    return this.#open;
  }

  /** Undefined too while the keys are closed: then its certificate is of no use. */
  get enrollment(): Enrollment | undefined {
    return this.#open?.enrollment;
  }

  /** Where the device is enrolled, also while its keys are closed. */
  get place(): EnrollmentFile | undefined {
    return this.#open ? this.#open.enrollment : this.#file;
  }

  /** True without a certificate that is still good. `now` in milliseconds since the epoch. */
  needsEnrollment(now: number): boolean {
    const { enrollment } = this.#need();
    return !enrollment || Date.parse(parseCertificate(enrollment.certificate).validTo) <= now;
  }

  /** @throws MusterError `enrollment.missing`, `enrollment.keys-closed` */
  tls(): TlsMaterial {
    const { enrollment, keys } = this.#need();
    if (!enrollment) throw new MusterError("enrollment.missing");
    return { ca: enrollment.ca, cert: enrollment.certificate, key: keys.tlsKey };
  }

  /**
   * Enrolls the device. Repeating it with the same token changes nothing; another token is taken only when the
   * certificate has expired, which is the way back for a box that was off for long.
   * @returns false when the device was enrolled already
   * @throws MusterError `request.conflict` when it is enrolled by another token, or as `requestEnrollment`
   */
  async enroll(order: EnrollOrder, pinRoot: PinRoot): Promise<boolean> {
    const open = this.#need();
    const known = open.enrollment;
    const expired =
      known !== undefined && Date.parse(parseCertificate(known.certificate).validTo) <= order.now;
    if (known && !expired) {
      if (known.token === parseJoinToken(order.token).id) return false;
      throw new MusterError(
        "request.conflict",
        `This device is enrolled as ${known.device} at ${known.server} by another token. To enroll it as a new device, stop the agent and move ${this.#directory} away.`,
      );
    }
    const { enrollment, tufRoot } = await requestEnrollment(open.keys, open.tpm, order);
    if (known && known.ca !== enrollment.ca)
      throw new MusterError(
        "enrollment.pin-mismatch",
        "The join token is of another fleet than this device.",
      );
    if (!known) await pinRoot(tufRoot);
    await writeEnrollment(this.#directory, enrollment);
    open.enrollment = enrollment;
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
    const open = this.#need();
    const known = open.enrollment;
    if (!known || now < this.renewAt()) return false;
    const csr = await buildCsr(this.keys.device, this.keys.tlsKey);
    const { certificate } = parseJson(
      RenewResponse,
      await postJson(http, DEVICE_API.renew, { csr }),
      "wire.malformed",
    );
    checkCertificate(certificate, known.ca, this.keys.device, this.keys.tlsKey);
    await writeCertificate(this.#directory, certificate);
    open.enrollment = { ...known, certificate };
    return true;
  }
}

async function openAll(
  directory: string,
  tpm: IdentityTpm | undefined,
  notSealed?: (error: MusterError) => void,
): Promise<Opened> {
  const keys = await openKeys(directory, tpm, notSealed);
  return { keys, tpm, enrollment: await readEnrollment(directory, keys) };
}
