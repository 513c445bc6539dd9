import { MusterError } from "@muster/shared/errors";
import { sha256 } from "@muster/shared/trust/digest";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import { actor } from "./acting.ts";
import { seal } from "./chain.ts";
import { type AuditActor, CONTROL_PLANE } from "./entry.ts";
import type { AuditRecord } from "./records/record.ts";
import { AUDIT_RECORDS } from "./records/records.ts";

const MEMBERS = [
  ["seq", "seq"],
  ["at", "at"],
  ["actor_kind", "actor.kind"],
  ["actor_id", "actor.id"],
  ["actor_name", "actor.name"],
  ["action", "action"],
  ["subject", "subject"],
  ["detail", "detail"],
  ["previous", "previous"],
  ["digest", "digest"],
  ["signature", "signature"],
] as const;

const NOBODY = ["NULL", "NULL", "NULL"];

/** Appends an entry; the arguments are SQL expressions. A table-valued function runs its argument once a row. */
const appendSql = (action: string, subject: string, detail: string, by: readonly string[]): string =>
  `INSERT INTO audit_log (${MEMBERS.map(([column]) => column).join(", ")})
   SELECT ${MEMBERS.map(([, member]) => `value ->> '$.${member}'`).join(", ")} FROM json_each(audit_seal(
     (SELECT seq FROM audit_log ORDER BY seq DESC LIMIT 1), (SELECT digest FROM audit_log ORDER BY seq DESC LIMIT 1),
     ${action}, ${subject}, ${detail}, ${by.join(", ")}))`;

/** Appends an entry with the parameters action, subject and detail as JSON. */
export const APPEND = appendSql("?", "?", "?", NOBODY);

/**
 * Makes this connection write an entry of the audit log with every change that `records/` lists. The triggers are
 * temporary: they belong to the connection, as the key does.
 * @param clock milliseconds since the epoch
 * @throws MusterError `storage.broken` where a table or column is not there
 */
export function recordChanges(db: Database, key: SigningKey, clock: () => number): void {
  db.function("audit_sha256", { deterministic: true }, (text: unknown) => sha256(String(text)));
  db.function(
    "audit_seal",
    (
      seq: unknown,
      digest: unknown,
      action: unknown,
      subject: unknown,
      detail: unknown,
      kind: unknown,
      id: unknown,
      name: unknown,
    ) => {
      const head = seq === null ? null : { seq: Number(seq), digest: String(digest) };
      const event = {
        actor: actor() ?? actorOf(kind, id, name),
        action: String(action),
        subject: String(subject),
        detail: JSON.parse(String(detail)) as Record<string, unknown>,
      };
      return JSON.stringify([seal(key, head, event, clock())]);
    },
  );
  const unknown = AUDIT_RECORDS.flatMap((record) => unknownColumns(db, record));
  // A change that would go unrecorded must not be possible at all.
  if (unknown.length > 0)
    throw new MusterError("storage.broken", `The database lacks ${unknown.join(", ")}, which go on record.`);
  for (const [index, record] of AUDIT_RECORDS.entries()) db.exec(triggerSql(`audit_${index}`, record));
}

const actorOf = (kind: unknown, id: unknown, name: unknown): AuditActor =>
  typeof kind === "string"
    ? { kind: kind as AuditActor["kind"], id: String(id), name: String(name ?? id) }
    : CONTROL_PLANE;

function triggerSql(
  name: string,
  { table, on, columns, when, action, subject, detail, by }: AuditRecord,
): string {
  const members = Object.entries(detail).map(([key, value]) => `'${key}', ${value}`);
  const of = columns ? ` OF ${columns.join(", ")}` : "";
  const append = appendSql(
    action,
    subject,
    `json_object(${members.join(", ")})`,
    by ? [`'${by[0]}'`, by[1], by[2]] : NOBODY,
  );
  return `CREATE TEMP TRIGGER ${name} AFTER ${on}${of} ON main.${table}${when ? ` WHEN ${when}` : ""} BEGIN ${append}; END`;
}

/** Columns that a record names and the database has not. */
function unknownColumns(db: Database, record: AuditRecord): string[] {
  const { table, columns = [], when = "", action, subject, detail, by = [] } = record;
  const known = new Set(
    db.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table),
  );
  const texts = [when, action, subject, ...Object.values(detail), ...by];
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\b(?:NEW|OLD)\.(\w+)/g)].map(([, name = ""]) => name),
  );
  return [...new Set([...columns, ...named])]
    .filter((name) => !known.has(name))
    .map((name) => `${table}.${name}`);
}
