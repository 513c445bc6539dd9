import { createHash, X509Certificate } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { Stores } from "../storage/database.ts";
import type { EkRootsTable } from "../storage/tables/enrollment.ts";
import { certificateFacts } from "./certificate-facts.ts";
import { nameOf } from "./ek-chain.ts";

/** An authority of a TPM vendor, as operators see it. Times in milliseconds since the epoch. */
export interface EkRootInfo {
  /** SHA-256 of the certificate, hex. */
  id: string;
  name: string;
  validFrom: number;
  validTo: number;
  addedAt: number;
}

/** All vendors together have some hundreds. */
const MOST_ROOTS = 1_000;
const MAX_TEXT = 65_536;

/** The authorities of TPM vendors that are believed: a certificate that leads to one makes a device `tpm-certified`. */
export class EkRoots {
  readonly #stores: Stores;
  readonly #now: () => number;
  #parsed: { of: string; certificates: X509Certificate[] } = { of: "", certificates: [] };

  constructor(stores: Stores, now: () => number) {
    this.#stores = stores;
    this.#now = now;
  }

  /**
   * Believes an authority from now on; one that is believed already stays as it is.
   * @param text one certificate, PEM, or DER in base64
   * @throws MusterError `enrollment.ek-root-invalid`
   */
  async add(text: string): Promise<EkRootInfo> {
    const certificate = readAuthority(text);
    const row: EkRootsTable = {
      id: createHash("sha256").update(certificate.raw).digest("hex"),
      name: nameOf(certificate),
      certificate: certificate.toString(),
      added_at: this.#now(),
    };
    const kept = await this.#stores.writeControl((db) => {
      const count = db.prepare<[], number>("SELECT count(*) FROM ek_roots").pluck().get() ?? 0;
      if (count >= MOST_ROOTS)
        throw new MusterError("request.conflict", `${MOST_ROOTS} authorities are believed already.`);
      db.prepare(
        `INSERT INTO ek_roots (id, name, certificate, added_at) VALUES (@id, @name, @certificate, @added_at)
         ON CONFLICT (id) DO NOTHING`,
      ).run(row);
      return db.prepare("SELECT * FROM ek_roots WHERE id = ?").get(row.id) as EkRootsTable;
    });
    return infoOf(kept);
  }

  /** By name. */
  async list(): Promise<EkRootInfo[]> {
    const rows = await this.#stores.control
      .selectFrom("ek_roots")
      .selectAll()
      .orderBy("name")
      .orderBy("id")
      .execute();
    return rows.map(infoOf);
  }

  /**
   * Believes it no more. Devices that it made certified stay what they are until they enroll again.
   * @param id its beginning is enough, where it is that of one alone
   * @throws MusterError `request.not-found`, `request.conflict`
   */
  async remove(id: string): Promise<EkRootInfo> {
    const matching = (await this.list()).filter((root) => root.id.startsWith(id));
    const [root] = matching;
    if (!root) throw new MusterError("request.not-found", `There is no authority ${id}.`);
    if (matching.length > 1)
      throw new MusterError("request.conflict", `${matching.length} authorities begin with ${id}.`);
    await this.#stores.writeControl((db) => db.prepare("DELETE FROM ek_roots WHERE id = ?").run(root.id));
    return root;
  }

  /** All that are believed; read anew only after a change. */
  certificates(): readonly X509Certificate[] {
    const rows = this.#stores.controlRaw
      .prepare<[], Pick<EkRootsTable, "id" | "certificate">>(
        "SELECT id, certificate FROM ek_roots ORDER BY id",
      )
      .all();
    const of = rows.map(({ id }) => id).join();
    if (of !== this.#parsed.of)
      this.#parsed = { of, certificates: rows.map(({ certificate }) => new X509Certificate(certificate)) };
    return this.#parsed.certificates;
  }
}

function readAuthority(text: string): X509Certificate {
  const invalid = (why: string, cause?: unknown) =>
    new MusterError("enrollment.ek-root-invalid", why, { cause });
  if (text.length > MAX_TEXT) throw invalid("This is longer than any certificate.");
  let certificate: X509Certificate;
  let facts: ReturnType<typeof certificateFacts>;
  try {
    certificate = new X509Certificate(text.includes("-----BEGIN") ? text : Buffer.from(text, "base64"));
    facts = certificateFacts(certificate);
  } catch (cause) {
    throw invalid("This is no certificate in PEM or DER.", cause);
  }
  if (!facts.isAuthority || facts.keyCertSign === false)
    throw invalid(`${nameOf(certificate)} is no authority: it may not sign certificates.`);
  if (facts.unknownCritical.length > 0)
    throw invalid(`${nameOf(certificate)} has a critical extension that is not understood.`);
  return certificate;
}

function infoOf({ id, name, certificate, added_at }: EkRootsTable): EkRootInfo {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return { id, name, validFrom: Date.parse(validFrom), validTo: Date.parse(validTo), addedAt: added_at };
}
