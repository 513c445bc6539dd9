import { MusterError } from "@muster/shared/errors";
import type { ShadowReport } from "@muster/shared/protocol/shadow-report";
import type { Kysely } from "kysely";
import { Reach } from "../people/reach.ts";
import { siteIsWithin } from "../storage/site-filter.ts";
import type { ControlTables } from "../storage/tables/index.ts";

/** Answered at a time; the others follow with the cursor. */
const PAGE = 200;

/** What one device found out, with the name that people know it by. */
export interface ShadowReportView {
  device: string;
  name: string;
  site: string;
  hardwareClass: string;
  /** As the device signed it: anybody may check it with the key of the device. */
  report: ShadowReport;
  receivedAt: number;
}

export interface ShadowReportPage {
  reports: ShadowReportView[];
  /** Null where there are no more. */
  next: string | null;
}

/** Reads what devices reported of their shadows. */
export class ShadowReports {
  readonly #control: Kysely<ControlTables>;

  constructor(control: Kysely<ControlTables>) {
    this.#control = control;
  }

  /**
   * Reports of the devices that a rollout told, by device id, the newest of each.
   * @param after last device of the page before
   * @throws MusterError `request.not-found`
   */
  async ofRollout(
    rollout: string,
    after = "",
    limit = PAGE,
    reach: Reach = Reach.everywhere,
  ): Promise<ShadowReportPage> {
    const row = await this.#control
      .selectFrom("rollouts")
      .select("id")
      .where("id", "=", rollout)
      .executeTakeFirst();
    if (!row) throw new MusterError("request.not-found", `There is no rollout ${rollout}.`);
    const rows = await this.#control
      .selectFrom("shadow_reports as shadow")
      .innerJoin("rollout_devices as member", (join) =>
        join.onRef("member.device", "=", "shadow.device").onRef("member.rollout", "=", "shadow.rollout"),
      )
      .innerJoin("devices", "devices.id", "shadow.device")
      .select([
        "shadow.device",
        "devices.name",
        "devices.site",
        "devices.hardware_class",
        "shadow.report",
        "shadow.received_at",
      ])
      .where("shadow.rollout", "=", rollout)
      .where("shadow.device", ">", after)
      .$if(!reach.isEverywhere, (query) => query.where(siteIsWithin("devices.site", reach.sites)))
      .where("shadow.generation", "=", ({ selectFrom }) =>
        selectFrom("shadow_reports as other")
          .select(({ fn }) => fn.max("other.generation").as("newest"))
          .whereRef("other.device", "=", "shadow.device")
          .whereRef("other.rollout", "=", "shadow.rollout"),
      )
      .orderBy("shadow.device")
      .limit(limit + 1)
      .execute();
    const reports = rows.slice(0, limit).map((each) => ({
      device: each.device,
      name: each.name,
      site: each.site,
      hardwareClass: each.hardware_class,
      report: JSON.parse(each.report) as ShadowReport,
      receivedAt: each.received_at,
    }));
    return { reports, next: rows.length > limit ? (reports.at(-1)?.device ?? null) : null };
  }
}
