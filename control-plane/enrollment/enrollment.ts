import type { KeyObject } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { EnrollRequest, EnrollResponse, RenewResponse } from "@muster/shared/protocol/device-api";
import { hardwareClassOf } from "@muster/shared/protocol/hardware";
import type { Labels } from "@muster/shared/protocol/primitives";
import type { Database } from "better-sqlite3";
import type { Stores } from "../storage/database.ts";
import { isDuplicate } from "../storage/errors.ts";
import type { DevicesTable, JoinTokensTable } from "../storage/tables/fleet.ts";
import type { Authority } from "./authority.ts";
import type { IssuedCertificate } from "./certificates.ts";
import { checkRequest } from "./csr.ts";
import { findToken, tokenRefusal } from "./join-tokens.ts";

export interface EnrollmentPorts {
  /** TUF root metadata in force, JSON text. @throws MusterError `trust.uninitialized` */
  tufRoot(): Promise<string>;
  onEnrolled(device: string, site: string): void;
  /** The live session and the open connections of the device have to end. */
  onRevoked(device: string, reason: string): void;
}

const MAX_LABELS = 32;

/** Lets devices into the fleet, renews their certificates and puts them out. */
export class Enrollment {
  readonly #stores: Stores;
  readonly #authority: Authority;
  readonly #ports: EnrollmentPorts;
  readonly #days: number;
  readonly #now: () => number;

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
  }

  /**
   * Enrolls the key of the request. A device that is enrolled already gets another certificate and spends
   * nothing: its answer may have been lost. For that the token that let it in is good even when spent.
   * @throws MusterError of the `token.` and `enrollment.` families, `trust.uninitialized`
   */
  async enroll(request: EnrollRequest, mqttUrl: string): Promise<EnrollResponse> {
    // Before anything costly: without a token nobody makes this server verify or sign.
    findToken(request.token, (id) => readToken(this.#stores.controlRaw, id));
    const { device, publicKey } = checkRequest(request.csr);
    const tufRoot = await this.#ports.tufRoot();
    const { issued, site } = await this.#stores.writeControl((db) =>
      this.#admit(db, request, device, publicKey),
    );
    this.#ports.onEnrolled(device, site);
    return { device, certificate: issued.pem, ca: this.#authority.certificate, mqttUrl, tufRoot };
  }

  /**
   * A new certificate for the same key.
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
          "UPDATE devices SET certificate_serial = ?, certificate_expires_at = ? WHERE id = ? AND status = 'active'",
        )
        .run(issued.serial, issued.expiresAt, device);
      if (changes === 0) throw new MusterError("certificate.revoked");
    });
    return { certificate: issued.pem, ca: this.#authority.certificate };
  }

  /**
   * Puts a device out for good and cuts its connections; repeating it changes nothing.
   * @throws MusterError `request.not-found`
   */
  async revoke(device: string, reason: string): Promise<void> {
    await this.#stores.writeControl((db) => {
      const known = db.prepare("SELECT 1 FROM devices WHERE id = ?").get(device);
      if (!known) throw new MusterError("request.not-found", `There is no device ${device}.`);
      db.prepare(
        "UPDATE devices SET status = 'revoked', revoked_at = ?, revoked_reason = ? WHERE id = ? AND status = 'active'",
      ).run(this.#now(), reason, device);
    });
    this.#ports.onRevoked(device, reason);
  }

  #issue(device: string, publicKey: KeyObject): IssuedCertificate {
    return this.#authority.issueDevice(device, publicKey, this.#days, this.#now());
  }

  #admit(
    db: Database,
    request: EnrollRequest,
    device: string,
    publicKey: KeyObject,
  ): { issued: IssuedCertificate; site: string } {
    const token = findToken(request.token, (id) => readToken(db, id));
    const known = db.prepare("SELECT * FROM devices WHERE id = ?").get(device) as DevicesTable | undefined;
    if (known?.status === "revoked") throw new MusterError("enrollment.device-revoked");
    const refusal = tokenRefusal(token, this.#now());
    const isRepeat = known !== undefined && refusal === "token.spent" && known.join_token === token.id;
    if (refusal && !isRepeat) throw new MusterError(refusal);

    const issued = this.#issue(device, publicKey);
    if (known) {
      db.prepare(
        `UPDATE devices SET signing_key = ?, hardware = ?, hardware_class = ?, certificate_serial = ?,
         certificate_expires_at = ? WHERE id = ?`,
      ).run(
        request.signingKey,
        JSON.stringify(request.hardware),
        hardwareClassOf(request.hardware),
        issued.serial,
        issued.expiresAt,
        device,
      );
      return { issued, site: known.site };
    }
    db.prepare("UPDATE join_tokens SET uses_left = uses_left - 1 WHERE id = ?").run(token.id);
    this.#insert(db, request, device, token, issued);
    return { issued, site: token.site };
  }

  #insert(
    db: Database,
    request: EnrollRequest,
    device: string,
    token: JoinTokensTable,
    issued: IssuedCertificate,
  ): void {
    // The token's labels are the operator's word and win over the device's own.
    const labels: Labels = { ...request.labels, ...(JSON.parse(token.labels) as Labels) };
    if (Object.keys(labels).length > MAX_LABELS)
      throw new MusterError(
        "request.invalid",
        `Device and token have more than ${MAX_LABELS} labels together.`,
      );
    const name = request.name ?? device;
    try {
      db.prepare(
        `INSERT INTO devices (id, name, site, labels, signing_key, hardware, hardware_class, status, enrolled_at,
         join_token, certificate_serial, certificate_expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'active', ?, ?, ?, ?)`,
      ).run(
        device,
        name,
        token.site,
        JSON.stringify(labels),
        request.signingKey,
        JSON.stringify(request.hardware),
        hardwareClassOf(request.hardware),
        this.#now(),
        token.id,
        issued.serial,
        issued.expiresAt,
      );
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      throw new MusterError(
        "enrollment.name-taken",
        `Site ${token.site} has a device named ${name} already.`,
      );
    }
  }
}

const readToken = (db: Database, id: string): JoinTokensTable | undefined =>
  db.prepare("SELECT * FROM join_tokens WHERE id = ?").get(id) as JoinTokensTable | undefined;
