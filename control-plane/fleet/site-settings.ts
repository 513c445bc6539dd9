import { MusterError } from "@muster/shared/errors";
import { Labels } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { WeeklyWindow } from "@muster/shared/time/weekly-window";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import { type ControlTransaction, inTransaction } from "../storage/transaction.ts";
import type { SiteSettings } from "./site-book.ts";
import { siteEntry } from "./targeting-rows.ts";

/** What an operator may change of a site. Null means: as the site above has it. Members not named stay. */
export interface SiteChange {
  /** A label of null is taken away; labels not named stay. */
  labels?: Record<string, string | null>;
  timeZone?: string | null;
  uplinkKbps?: number | null;
  windows?: WeeklyWindow[] | null;
}

const NOTHING: SiteSettings = { labels: {}, timeZone: null, uplinkKbps: null, windows: null };

/**
 * States of a site what is given and nothing else. A site needs no devices yet.
 * @throws MusterError `request.invalid` for a time zone that is none or more labels than a site may have
 */
export async function replaceSite(
  db: Kysely<ControlTables>,
  path: string,
  settings: Partial<SiteSettings>,
): Promise<void> {
  await inTransaction(db, (tx) => write(tx, path, { ...NOTHING, ...settings }));
}

/** Changes what is stated of a site. @throws MusterError `request.invalid` as `replaceSite` */
export async function changeSite(db: Kysely<ControlTables>, path: string, change: SiteChange): Promise<void> {
  await inTransaction(db, async (tx) => {
    const row = await tx.selectFrom("sites").selectAll().where("path", "=", path).executeTakeFirst();
    const { labels, ...others } = row ? siteEntry(row) : NOTHING;
    const merged = Object.entries({ ...labels, ...change.labels });
    const kept = merged.filter((entry): entry is [string, string] => entry[1] !== null);
    await write(tx, path, { ...others, ...change, labels: Object.fromEntries(kept) });
  });
}

/** From now on the site has everything as the site above it has. */
export async function clearSite(db: Kysely<ControlTables>, path: string): Promise<void> {
  await inTransaction(db, (tx) => write(tx, path, NOTHING));
}

async function write(
  tx: ControlTransaction,
  path: string,
  { labels, timeZone, uplinkKbps, windows }: SiteSettings,
): Promise<void> {
  validate(Labels, labels, "request.invalid");
  if (timeZone !== null) requireTimeZone(timeZone);
  const row = {
    path,
    labels: JSON.stringify(labels),
    time_zone: timeZone,
    uplink_kbps: uplinkKbps,
    windows: windows === null ? null : JSON.stringify(windows),
  };
  const isEmpty = Object.keys(labels).length === 0 && timeZone === null && uplinkKbps === null;
  if (isEmpty && windows === null) await tx.deleteFrom("sites").where("path", "=", path).execute();
  else
    await tx
      .insertInto("sites")
      .values(row)
      .onConflict((conflict) => conflict.column("path").doUpdateSet(row))
      .execute();
}

/** Offsets like `+01:00` are taken by `Intl` too, but know no summer time: a slip in a site's setting. */
function requireTimeZone(name: string): void {
  try {
    if (!/^[+-]/.test(name)) {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return;
    }
  } catch {
    // Falls through to the one error below.
  }
  throw new MusterError("request.invalid", `${name} is no time zone: write one like Europe/Berlin or UTC.`);
}
