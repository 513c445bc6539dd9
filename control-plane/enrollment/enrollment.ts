import type { KeyObject } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type {
  ActivateRequest,
  EnrollAnswer,
  EnrollRequest,
  EnrollResponse,
  RenewResponse,
} from "@muster/shared/protocol/device-api";
import type { Stores } from "../storage/database.ts";
import { Activations } from "./activations.ts";
import { type Applicant, admit, checkApplicant, readToken } from "./admission.ts";
import type { Authority } from "./authority.ts";
import type { IssuedCertificate } from "./certificates.ts";
import { checkRequest } from "./csr.ts";
import type { EkRoots } from "./ek-roots.ts";
import { findToken } from "./join-tokens.ts";
import { tpmClaimOf } from "./tpm-claim.ts";

export interface EnrollmentPorts {
  /** TUF root metadata in force, JSON text. @throws MusterError `trust.uninitialized` */
  tufRoot(): Promise<string>;
  /** Whose word makes a TPM certified. */
  ekRoots: Pick<EkRoots, "certificates">;
  onEnrolled(device: string, site: string): void;
  /** Another board took the place of the device: its session and connections have to end. */
  onReplaced(former: string, device: string): void;
}

/** Lets devices into the fleet and renews their certificates. */
export class Enrollment {
  readonly #stores: Stores;
  readonly #authority: Authority;
  readonly #ports: EnrollmentPorts;
  readonly #days: number;
  readonly #now: () => number;
  readonly #activations: Activations;

  constructor(
    stores: Stores,
    authority: Authority,
    certificateDays: number,
    ports: EnrollmentPorts,
    now: () => number,
  ) {
    this.#stores = stores;
    this.#authority = authority;
    this.#days = certificateDays;
    this.#ports = ports;
    this.#now = now;
    this.#activations = new Activations(now);
  }

  /**
   * Enrolls the key of the request, or gives a challenge where the device has a TPM. A device that is enrolled already
   * gets another certificate and spends nothing: its answer may have been lost. For that the token that let it in is
   * good even when spent.
   * @throws MusterError of the `token.`, `enrollment.` and `tpm.` families, `trust.uninitialized`
   */
  async enroll(request: EnrollRequest, mqttUrl: string): Promise<EnrollAnswer> {
    // Before anything costly: without a token nobody makes this server verify or sign.
    const { id: token } = findToken(request.token, (id) => readToken(this.#stores.controlRaw, id));
    const checked = checkRequest(request.csr);
    const { device, publicKey } = checked;
    if (!request.tpm) return await this.#admit({ request, device, publicKey, claim: undefined }, mqttUrl);
    const claim = tpmClaimOf(request.tpm, this.#ports.ekRoots.certificates(), this.#now());
    checkApplicant(this.#stores.controlRaw, { request, device, claim }, this.#now());
    return this.#activations.challenge({ request, checked, claim, token });
  }

  /**
   * The second half for a device with a TPM.
   * @param exporter keying material of the connection that carries the request
   * @throws MusterError as `enroll`
   */
  async activate(answer: ActivateRequest, exporter: Uint8Array, mqttUrl: string): Promise<EnrollResponse> {
    const { request, checked, claim } = this.#activations.answer(answer, exporter);
    return await this.#admit({ request, ...checked, claim }, mqttUrl);
  }

  /**
   * A new certificate for the same key; what binds the device to its TPM stays.
   * @throws MusterError `certificate.revoked`, `enrollment.csr-invalid` for a request by another key
   */
  async renew(device: string, csr: string): Promise<RenewResponse> {
    const request = checkRequest(csr);
    if (request.device !== device)
      throw new MusterError(
        "enrollment.csr-invalid",
        "The request is made with another key: a new key is a new device and has to enroll.",
      );
    const issued = this.#issue(device, request.publicKey);
    await this.#stores.writeControl((db) => {
      const { changes } = db
        .prepare(
          "UPDATE devices SET certificate_serial = ?, certificate_expires_at = ? WHERE id = ? AND status <> 'revoked'",
        )
        .run(issued.serial, issued.expiresAt, device);
      if (changes === 0) throw new MusterError("certificate.revoked");
    });
    return { certificate: issued.pem, ca: this.#authority.certificate };
  }

  #issue(device: string, publicKey: KeyObject): IssuedCertificate {
    return this.#authority.issueDevice(device, publicKey, this.#days, this.#now());
  }

  async #admit(applicant: Applicant, mqttUrl: string): Promise<EnrollResponse> {
    const { device } = applicant;
    const tufRoot = await this.#ports.tufRoot();
    const { issued, site, assurance, replaced } = await this.#stores.writeControl((db) =>
      admit(db, applicant, (id, publicKey) => this.#issue(id, publicKey), this.#now()),
    );
    if (replaced !== null) this.#ports.onReplaced(replaced, device);
    this.#ports.onEnrolled(device, site);
    const { certificate: ca } = this.#authority;
    return { device, certificate: issued.pem, ca, mqttUrl, tufRoot, assurance };
  }
}
