/** What is stated of sites, saved groups of devices, and how often either changed, in control.db. */

/** One site path; every member but the path is absent where it is inherited from the site above. */
export interface SitesTable {
  path: string;
  /** JSON object of strings; devices at and below the site inherit them. */
  labels: string;
  /** IANA name. */
  time_zone: string | null;
  /** Kilobits a second that downloads may share. */
  uplink_kbps: number | null;
  /** JSON array of `WeeklyWindow`; empty for any time. */
  windows: string | null;
}

export interface GroupsTable {
  name: string;
  selector: string;
  description: string;
  created_at: number;
  changed_at: number;
}

/** Triggers count it up with every change of `sites` and `groups`. */
export interface TargetingRevisionTable {
  one: number;
  revision: number;
}

export interface TargetingTables {
  sites: SitesTable;
  groups: GroupsTable;
  targeting_revision: TargetingRevisionTable;
}
