import { Count, Labels, Millis, Name, SitePath } from "@muster/shared/protocol/primitives";
import { WeeklyWindow } from "@muster/shared/time/weekly-window";
import { type Static, Type } from "typebox";
import { ChangedLabels, closed, LivenessCounts, orNull } from "./common.ts";

const TimeZone = Type.String({ minLength: 1, maxLength: 64 });
/** Kilobits a second. */
const Uplink = Type.Integer({ minimum: 1, maximum: 100_000_000 });
const Windows = Type.Array(WeeklyWindow, { maxItems: 16 });

/** Null, and labels not named: as the site above has it. No window at all: any time. */
const SiteSettings = Type.Object(
  { labels: Labels, timeZone: orNull(TimeZone), uplinkKbps: orNull(Uplink), windows: orNull(Windows) },
  closed,
);

/** Counts include everything below the site. */
export const SiteResource = Type.Object(
  {
    site: SitePath,
    devices: Count,
    revoked: Count,
    liveness: LivenessCounts,
    /** What is stated of the site itself. */
    settings: SiteSettings,
    /** With what it inherits; `UTC`, no limit and any time where nobody stated anything. */
    effective: Type.Object(
      { labels: Labels, timeZone: TimeZone, uplinkKbps: orNull(Uplink), windows: Windows },
      closed,
    ),
  },
  closed,
);
export type SiteResource = Static<typeof SiteResource>;

export const SiteList = Type.Object({ sites: Type.Array(SiteResource) }, closed);
export type SiteList = Static<typeof SiteList>;

/** The whole of what is stated of a site. */
export const NewSiteSettings = Type.Partial(SiteSettings, closed);

/** Members and labels not named stay; null takes a label or a setting away. */
export const SiteChange = Type.Object(
  {
    labels: Type.Optional(ChangedLabels),
    timeZone: Type.Optional(orNull(TimeZone)),
    uplinkKbps: Type.Optional(orNull(Uplink)),
    windows: Type.Optional(orNull(Windows)),
  },
  { ...closed, minProperties: 1 },
);
export type SiteChange = Static<typeof SiteChange>;

const SelectorText = Type.String({ maxLength: 1000 });
const Description = Type.String({ maxLength: 500 });

export const GroupResource = Type.Object(
  {
    name: Name,
    selector: Type.String(),
    description: Type.String(),
    createdAt: Millis,
    changedAt: Millis,
    /** Devices that it has now, and those of them that are offline. */
    devices: Count,
    offline: Count,
  },
  closed,
);
export type GroupResource = Static<typeof GroupResource>;

export const GroupList = Type.Object({ groups: Type.Array(GroupResource) }, closed);
export type GroupList = Static<typeof GroupList>;

export const NewGroup = Type.Object(
  { name: Name, selector: SelectorText, description: Type.Optional(Description) },
  closed,
);

export const GroupChange = Type.Object(
  { selector: SelectorText, description: Type.Optional(Description) },
  closed,
);
