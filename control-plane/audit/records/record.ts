/**
 * A change of control.db that is put on record. All texts but `table` and `columns` are SQL expressions over NEW and
 * OLD, run by SQLite right after the change and in its transaction: neither is ever there without the other.
 */
export interface AuditRecord {
  readonly table: string;
  readonly on: "INSERT" | "DELETE" | "UPDATE";
  /** Of an UPDATE: only one that names these. */
  readonly columns?: readonly string[];
  readonly when?: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, string>>;
  /** Who acts where no operator is known to; else it is the control plane by itself. */
  readonly by?: readonly [kind: "device" | "operator", id: string, name: string];
}

export const inserted = (table: string, rest: Omit<AuditRecord, "table" | "on">): AuditRecord => ({
  table,
  on: "INSERT",
  ...rest,
});
export const deleted = (table: string, rest: Omit<AuditRecord, "table" | "on">): AuditRecord => ({
  table,
  on: "DELETE",
  ...rest,
});
export const updated = (
  table: string,
  columns: readonly string[],
  rest: Omit<AuditRecord, "table" | "on" | "columns">,
): AuditRecord => ({
  table,
  on: "UPDATE",
  columns,
  // An UPDATE that names a column may leave it as it is.
  when: columns.map((column) => `OLD.${column} IS NOT NEW.${column}`).join(" OR "),
  ...rest,
});

/** What is set, changed and removed as a whole, by its name. */
export function kept(
  table: string,
  noun: string,
  id: (row: "NEW" | "OLD") => string,
  detail: (row: "NEW" | "OLD") => Record<string, string>,
): readonly AuditRecord[] {
  const columns = [...new Set(Object.values(detail("NEW")).flatMap((text) => text.match(/NEW\.\w+/g) ?? []))];
  const when = columns.map((column) => `${column} IS NOT OLD${column.slice(3)}`).join(" OR ");
  const subject = (row: "NEW" | "OLD") => `'${noun}/' || ${id(row)}`;
  const before = Object.fromEntries(
    Object.entries(detail("OLD")).map(([name, text]) => [`${name}Was`, text]),
  );
  return [
    { table, on: "INSERT", action: `'${noun}.set'`, subject: subject("NEW"), detail: detail("NEW") },
    {
      table,
      on: "UPDATE",
      when,
      action: `'${noun}.change'`,
      subject: subject("NEW"),
      detail: { ...detail("NEW"), ...before },
    },
    { table, on: "DELETE", action: `'${noun}.remove'`, subject: subject("OLD"), detail: detail("OLD") },
  ];
}
