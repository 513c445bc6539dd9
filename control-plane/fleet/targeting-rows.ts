import type { Labels } from "@muster/shared/protocol/primitives";
import type { WeeklyWindow } from "@muster/shared/time/weekly-window";
import type { Database, Statement } from "better-sqlite3";
import type { GroupsTable, SitesTable } from "../storage/tables/targeting.ts";
import type { Group } from "./group-book.ts";
import type { SiteEntry } from "./site-book.ts";

/** Reads sites and groups, when either changed since the last look. */
export class TargetingRows {
  readonly #revisionNow: Statement<[], number>;
  readonly #sites: Statement<[], SitesTable>;
  readonly #groups: Statement<[], GroupsTable>;
  #revision = 0;

  constructor(db: Database) {
    this.#revisionNow = db.prepare<[], number>("SELECT revision FROM targeting_revision").pluck();
    this.#sites = db.prepare("SELECT * FROM sites ORDER BY path");
    this.#groups = db.prepare("SELECT * FROM groups ORDER BY name");
  }

  /** Undefined when nothing changed. */
  changed(): { sites: SiteEntry[]; groups: Group[] } | undefined {
    const revision = this.#revisionNow.get() as number;
    if (revision === this.#revision) return undefined;
    const changed = { sites: this.#sites.all().map(siteEntry), groups: this.#groups.all().map(groupOf) };
    this.#revision = revision;
    return changed;
  }
}

/** What is stated of a site, without what it inherits. */
export const siteEntry = (row: SitesTable): SiteEntry => ({
  path: row.path,
  labels: JSON.parse(row.labels) as Labels,
  timeZone: row.time_zone,
  uplinkKbps: row.uplink_kbps,
  windows: row.windows === null ? null : (JSON.parse(row.windows) as WeeklyWindow[]),
});

const groupOf = (row: GroupsTable): Group => ({
  name: row.name,
  selector: row.selector,
  description: row.description,
  createdAt: row.created_at,
  changedAt: row.changed_at,
});
