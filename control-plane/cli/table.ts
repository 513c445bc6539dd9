import { printable } from "./terminal.ts";

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number;
  /** Numbers read better aligned to the right. */
  right?: boolean;
}

/** Columns are never cut below this many characters. */
const LEAST = 8;

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

/**
 * A plain aligned table. With `width` the widest columns are cut so that a line fits a terminal; without it
 * (output to a file or pipe) nothing is cut.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width?: number): string {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.value(row)))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  if (width !== undefined) {
    let excess = widths.reduce((sum, each) => sum + each, 0) + 2 * (widths.length - 1) - width;
    while (excess > 0) {
      const widest = widths.indexOf(Math.max(...widths));
      if ((widths[widest] ?? 0) <= LEAST) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
      excess -= 1;
    }
  }
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) => {
        const room = widths[index] ?? 0;
        const text = cut(value, room);
        return columns[index]?.right ? text.padStart(room) : text.padEnd(room);
      })
      .join("  ")
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)].map((text) => `${text}\n`).join("");
}
