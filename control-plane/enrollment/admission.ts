import type { KeyObject } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { EnrollRequest } from "@muster/shared/protocol/device-api";
import { hardwareClassOf } from "@muster/shared/protocol/hardware";
import type { Labels } from "@muster/shared/protocol/primitives";
import type { Database } from "better-sqlite3";
import { ASSURANCES, type Assurance } from "../attestation/verdict.ts";
import { isDuplicate } from "../storage/errors.ts";
import type { DevicesTable, JoinTokensTable } from "../storage/tables/fleet.ts";
import type { IssuedCertificate } from "./certificates.ts";
import { findToken, tokenRefusal } from "./join-tokens.ts";
import type { TpmClaim } from "./tpm-claim.ts";

/** A device at the door: what it asks, and what of it is proven. */
export interface Applicant {
  readonly request: EnrollRequest;
  readonly device: string;
  readonly publicKey: KeyObject;
  /** Proven by activation; undefined for a device without a TPM. */
  readonly claim: TpmClaim | undefined;
}

export interface Admission {
  readonly issued: IssuedCertificate;
  readonly site: string;
  readonly assurance: Assurance;
  /** Id of the device whose place it took just now. */
  readonly replaced: string | null;
}

const MAX_LABELS = 32;
const NO_TPM = "The device showed no TPM: its keys are files that can be copied.";

/** True where `one` is at least as sure as `least`. */
const isAtLeast = (one: Assurance, least: Assurance): boolean =>
  ASSURANCES.indexOf(one) <= ASSURANCES.indexOf(least);

export const readToken = (db: Database, id: string): JoinTokensTable | undefined =>
  db.prepare("SELECT * FROM join_tokens WHERE id = ?").get(id) as JoinTokensTable | undefined;

/**
 * Whether the device may come in with its token, and what it was before. Asked twice of a device with a TPM: before
 * the challenge and, since the world goes on, inside the transaction that lets it in.
 * @throws MusterError of the `token.` and `enrollment.` families
 */
export function checkApplicant(
  db: Database,
  { request, device, claim }: Pick<Applicant, "request" | "device" | "claim">,
  now: number,
): { token: JoinTokensTable; known: DevicesTable | undefined } {
  const token = findToken(request.token, (id) => readToken(db, id));
  const known = db.prepare("SELECT * FROM devices WHERE id = ?").get(device) as DevicesTable | undefined;
  if (known?.status === "revoked") throw new MusterError("enrollment.device-revoked");
  const refusal = tokenRefusal(token, now);
  const isRepeat = known !== undefined && refusal === "token.spent" && known.join_token === token.id;
  if (refusal && !isRepeat) throw new MusterError(refusal);
  const assurance = claim?.assurance ?? "software";
  if (!isAtLeast(assurance, token.min_assurance))
    throw new MusterError(
      "enrollment.assurance-too-low",
      `The join token asks for ${token.min_assurance}; this device is ${assurance}. ${claim?.reason ?? NO_TPM}`,
    );
  if (known) checkBinding(known, claim, isRepeat);
  if (claim) checkTpmFree(db, claim, device, token.replaces);
  return { token, known };
}

/** A device stays with its TPM: whoever copied its keys has another one, or none. */
function checkBinding(known: DevicesTable, claim: TpmClaim | undefined, isRepeat: boolean): void {
  if (known.ek_name !== null && known.ek_name !== claim?.ekName)
    throw new MusterError("enrollment.tpm-changed");
  if (known.ek_name === null && claim && isRepeat)
    throw new MusterError(
      "enrollment.tpm-changed",
      "This device enrolled without a TPM: a join token that is still good is needed to bind it to one.",
    );
}

function checkTpmFree(db: Database, claim: TpmClaim, device: string, replaces: string | null): void {
  const others = db
    .prepare<[string, string], Pick<DevicesTable, "id" | "status" | "decommissioned_at" | "replaced_by">>(
      "SELECT id, status, decommissioned_at, replaced_by FROM devices WHERE ek_name = ? AND id <> ?",
    )
    .all(claim.ekName, device);
  for (const other of others) {
    if (other.id === replaces) continue;
    if (other.status !== "revoked")
      throw new MusterError("enrollment.tpm-taken", `This TPM is bound to device ${other.id}.`);
    if (other.decommissioned_at === null && other.replaced_by === null)
      throw new MusterError("enrollment.tpm-revoked", `This TPM belonged to ${other.id}, which was revoked.`);
  }
}

/**
 * Lets a device in, inside the caller's transaction. One that is enrolled already gets another certificate and spends
 * nothing: its answer may have been lost.
 * @throws MusterError of the `token.` and `enrollment.` families
 */
export function admit(
  db: Database,
  applicant: Applicant,
  issue: (device: string, publicKey: KeyObject) => IssuedCertificate,
  now: number,
): Admission {
  const { device, publicKey, claim } = applicant;
  const { token, known } = checkApplicant(db, applicant, now);
  const issued = issue(device, publicKey);
  const assurance = claim?.assurance ?? "software";
  if (known) {
    db.prepare(
      `UPDATE devices SET signing_key = @signing_key, hardware = @hardware, hardware_class = @hardware_class,
       certificate_serial = @certificate_serial, certificate_expires_at = @certificate_expires_at,
       assurance = @assurance, assurance_reason = @assurance_reason, ek_name = @ek_name, ak_name = @ak_name,
       ak_public = @ak_public, sealing_key = @sealing_key WHERE id = @id`,
    ).run(columnsOf(applicant, issued));
    return { issued, assurance, site: known.site, replaced: null };
  }
  db.prepare("UPDATE join_tokens SET uses_left = uses_left - 1 WHERE id = ?").run(token.id);
  const place = token.replaces === null ? undefined : takePlace(db, token.replaces, device, now);
  insert(db, applicant, token, issued, place, now);
  return { issued, assurance, site: place?.site ?? token.site, replaced: token.replaces };
}

/** What both a new and a known device tell of themselves. */
const columnsOf = ({ request, device, claim }: Applicant, issued: IssuedCertificate) => ({
  id: device,
  signing_key: request.signingKey,
  sealing_key: request.sealingKey,
  hardware: JSON.stringify(request.hardware),
  hardware_class: hardwareClassOf(request.hardware),
  certificate_serial: issued.serial,
  certificate_expires_at: issued.expiresAt,
  assurance: claim?.assurance ?? "software",
  assurance_reason: claim?.reason ?? NO_TPM,
  ek_name: claim?.ekName ?? null,
  ak_name: claim?.akName ?? null,
  ak_public: claim?.akPublic ?? null,
});

type Place = Pick<DevicesTable, "site" | "name" | "labels">;

/** Ends the record of a board that was swapped; its name is free for the one that follows. */
function takePlace(db: Database, former: string, device: string, now: number): Place {
  const old = db.prepare("SELECT * FROM devices WHERE id = ?").get(former) as DevicesTable | undefined;
  if (!old || old.replaced_by !== null) throw new MusterError("enrollment.replaced");
  db.prepare(
    `UPDATE devices SET name = id, status = 'revoked', revoked_at = coalesce(revoked_at, @now),
     revoked_reason = coalesce(revoked_reason, @reason), replaced_by = @device WHERE id = @former`,
  ).run({ former, device, now, reason: `Replaced by ${device}.` });
  db.prepare(
    "UPDATE device_commands SET ended_at = ?, outcome = ? WHERE device = ? AND ended_at IS NULL",
  ).run(now, `Replaced by ${device}.`, former);
  return { site: old.site, name: old.name === old.id ? device : old.name, labels: old.labels };
}

function insert(
  db: Database,
  applicant: Applicant,
  token: JoinTokensTable,
  issued: IssuedCertificate,
  place: Place | undefined,
  now: number,
): void {
  const { request, device } = applicant;
  // The token's labels, or those of the board before, are the operator's word and win over the device's own.
  const given = JSON.parse(place?.labels ?? token.labels) as Labels;
  const labels: Labels = place ? given : { ...request.labels, ...given };
  if (Object.keys(labels).length > MAX_LABELS)
    throw new MusterError(
      "request.invalid",
      `Device and token have more than ${MAX_LABELS} labels together.`,
    );
  const site = place?.site ?? token.site;
  const name = place?.name ?? request.name ?? device;
  try {
    db.prepare(
      `INSERT INTO devices (id, name, site, labels, signing_key, sealing_key, hardware, hardware_class, status,
       enrolled_at, join_token, certificate_serial, certificate_expires_at, assurance, assurance_reason, ek_name,
       ak_name, ak_public, replaces) VALUES (@id, @name, @site, @labels, @signing_key, @sealing_key, @hardware,
       @hardware_class, 'active', @now, @token, @certificate_serial, @certificate_expires_at, @assurance,
       @assurance_reason, @ek_name, @ak_name, @ak_public, @replaces)`,
    ).run({
      ...columnsOf(applicant, issued),
      name,
      site,
      labels: JSON.stringify(labels),
      now,
      token: token.id,
      replaces: token.replaces,
    });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    throw new MusterError("enrollment.name-taken", `Site ${site} has a device named ${name} already.`);
  }
}
