import { MusterError } from "@muster/shared/errors";
import type { Labels } from "@muster/shared/protocol/primitives";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import type { Kysely } from "kysely";
import type { ControlTables } from "../../storage/tables/index.ts";
import { inTransaction } from "../../storage/transaction.ts";
import type { ReferenceSet, SignedReferenceSet } from "./reference-set.ts";
import { openReferenceSet, referenceKeysOf } from "./signing.ts";

/** A reference set in force. Times in milliseconds since the epoch. */
export interface ReferenceInfo {
  name: string;
  sequence: number;
  hardwareClass: string;
  description: string;
  digest: string;
  keyId: string;
  importedBy: string;
  importedAt: number;
  counts: { firmware: number; agents: number; imaRules: number };
}

/** Reference sets in force, at most. */
const MOST_SETS = 1_000;

/** The signed reference sets that evidence is appraised against, in memory and in control.db. */
export class ReferenceBook {
  readonly #db: Kysely<ControlTables>;
  readonly #rootText: () => Promise<string | null>;
  readonly #now: () => number;
  #sets: ReadonlyMap<string, { info: ReferenceInfo; document: SignedReferenceSet }> = new Map();

  private constructor(db: Kysely<ControlTables>, rootText: () => Promise<string | null>, now: () => number) {
    this.#db = db;
    this.#rootText = rootText;
    this.#now = now;
  }

  static async open(
    db: Kysely<ControlTables>,
    rootText: () => Promise<string | null>,
    now: () => number,
  ): Promise<ReferenceBook> {
    const book = new ReferenceBook(db, rootText, now);
    await book.#read();
    return book;
  }

  /** Sets for a device of this class with these labels. */
  matching(hardwareClass: string, labels: Labels): ReferenceSet[] {
    const sets: ReferenceSet[] = [];
    for (const { document } of this.#sets.values()) {
      const { payload } = document;
      const isOfClass = payload.hardwareClass === "any" || payload.hardwareClass === hardwareClass;
      if (isOfClass && Object.entries(payload.labels ?? {}).every(([key, value]) => labels[key] === value))
        sets.push(payload);
    }
    return sets;
  }

  list(): ReferenceInfo[] {
    return [...this.#sets.values()].map(({ info }) => info).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws MusterError `request.not-found` */
  get(name: string): { info: ReferenceInfo; document: SignedReferenceSet } {
    const found = this.#sets.get(name);
    if (!found) throw new MusterError("request.not-found", `There is no reference set ${name}.`);
    return found;
  }

  /**
   * Takes a signed set into force, in place of an older one of its name.
   * @param text JSON of a `SignedReferenceSet`
   * @param operator name of who asks
   * @throws MusterError `attestation.reference-invalid`, `attestation.reference-unsigned`,
   * `attestation.reference-old`, `trust.uninitialized`, `request.conflict` where there are too many
   */
  async import(text: string, operator: string): Promise<ReferenceInfo> {
    const root = await this.#rootText();
    if (root === null) throw new MusterError("trust.uninitialized");
    const document = openReferenceSet(text, referenceKeysOf(root));
    const { payload, keyId } = document;
    const digest = sha256(canonicalJson(payload));
    await inTransaction(this.#db, async (tx) => {
      const former = await tx
        .selectFrom("attestation_references")
        .select(["sequence", "digest"])
        .where("name", "=", payload.name)
        .executeTakeFirst();
      if (former && former.digest !== digest && former.sequence >= payload.sequence)
        throw new MusterError(
          "attestation.reference-old",
          `${payload.name} has sequence ${payload.sequence}; ${former.sequence} is in force.`,
        );
      if (!former && this.#sets.size >= MOST_SETS)
        throw new MusterError("request.conflict", `There are ${MOST_SETS} reference sets already.`);
      const row = {
        name: payload.name,
        sequence: payload.sequence,
        hardware_class: payload.hardwareClass,
        digest,
        document: JSON.stringify(document),
        key_id: keyId,
        imported_by: operator,
        imported_at: this.#now(),
      };
      await tx
        .insertInto("attestation_references")
        .values(row)
        .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
        .execute();
    });
    await this.#read();
    return this.get(payload.name).info;
  }

  /** @throws MusterError `request.not-found` */
  async remove(name: string): Promise<void> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("attestation_references")
      .where("name", "=", name)
      .executeTakeFirst();
    if (numDeletedRows === 0n)
      throw new MusterError("request.not-found", `There is no reference set ${name}.`);
    await this.#read();
  }

  async #read(): Promise<void> {
    const rows = await this.#db.selectFrom("attestation_references").selectAll().execute();
    this.#sets = new Map(
      rows.map((row) => {
        const document = JSON.parse(row.document) as SignedReferenceSet;
        const { description, firmware = [], agents = [], ima } = document.payload;
        const info: ReferenceInfo = {
          name: row.name,
          sequence: row.sequence,
          hardwareClass: row.hardware_class,
          description,
          digest: row.digest,
          keyId: row.key_id,
          importedBy: row.imported_by,
          importedAt: row.imported_at,
          counts: { firmware: firmware.length, agents: agents.length, imaRules: ima?.rules.length ?? 0 },
        };
        return [row.name, { info, document }];
      }),
    );
  }
}
