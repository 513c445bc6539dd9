import type { ReportedState } from "@muster/shared/protocol/state";
import type { Directory } from "../fleet/directory.ts";
import { isUnavailable, type Places as PlaceCounts } from "../fleet/places.ts";
import type { Freeze } from "./admission/freeze.ts";
import type { Facts, Places } from "./decide/types.ts";
import type { Exposures } from "./exposure/exposures.ts";
import type { LoadedRollout } from "./loaded.ts";
import type { Attempt, DeviceFacts, DeviceRecord } from "./model.ts";
import type { Past } from "./past.ts";
import type { Rival } from "./rivals.ts";
import { isDownloading } from "./timeouts.ts";
import type { Installation } from "./way-back.ts";

const UNKNOWN: DeviceFacts = {
  active: false,
  online: false,
  owner: null,
  desired: null,
  reported: null,
  attempts: [],
};

/** The facts of this moment for one rollout: the directory, and what the other rollouts do. */
export class FleetFacts implements Facts {
  readonly rivals: readonly Rival[];
  readonly freezes: readonly Freeze[];
  readonly exposures: Exposures;
  readonly #directory: Directory;
  readonly #own: LoadedRollout;
  readonly #loaded: readonly LoadedRollout[];
  readonly #online: (boolean | undefined)[];
  readonly #past: Past;
  #changed: Set<number> | undefined;

  constructor(
    directory: Directory,
    own: LoadedRollout,
    loaded: readonly LoadedRollout[],
    freezes: readonly Freeze[],
    exposures: Exposures,
    past: Past,
    online: (boolean | undefined)[],
  ) {
    this.#online = online;
    this.exposures = exposures;
    this.#past = past;
    this.#directory = directory;
    this.#own = own;
    this.#loaded = loaded;
    this.freezes = freezes;
    this.rivals = loaded
      .filter(({ rollout }) => rollout.id !== own.rollout.id && rollout.startedAt !== null)
      .map((other) => other.asRival());
  }

  of(id: string): DeviceFacts {
    const device = this.#directory.get(id);
    if (!device) return UNKNOWN;
    const { directive, reported } = device;
    const attempts = device.attempts(this.#own.rollout.id);
    const last = fromState(reported);
    return {
      active: device.active,
      online: device.online,
      owner: directive?.rollout ?? null,
      desired: directive?.release ?? null,
      reported,
      attempts: last ? [...attempts, last] : attempts,
    };
  }

  isQuarantined(digest: string, hardwareClass: string): boolean {
    return this.#past.isQuarantined(digest, hardwareClass);
  }

  installations(device: string): Installation[] {
    return this.#past.installations(device);
  }

  hasSentBack(rollout: string, device: string): boolean {
    return this.#past.hasSentBack(rollout, device);
  }

  isWithheld(place: number): boolean {
    const { device } = this.#own.rollout.devices[place] ?? {};
    return device !== undefined && this.#directory.withheldBecause(device) !== undefined;
  }

  verdictOf(place: number): ReturnType<Facts["verdictOf"]> {
    const device = this.#directory.get(this.#own.rollout.devices[place]?.device ?? "");
    return device?.verdict ? { tier: device.trust.verdict, at: device.verdict.at } : null;
  }

  isOnline(place: number): boolean {
    let known = this.#online[place];
    if (known === undefined) {
      known = this.#own.handles(this.#directory)[place]?.online ?? false;
      this.#online[place] = known;
    }
    return known;
  }

  hasChanged(place: number): boolean {
    const { appraisedAt } = this.#own;
    if (appraisedAt < 0) return true;
    this.#changed ??= this.#changedSince(appraisedAt);
    return this.#changed.has(place);
  }

  /** Going through the whole directory once is cheaper than looking each device up. */
  #changedSince(revision: number): Set<number> {
    const changed = new Set<number>();
    if (this.#directory.revision === revision) return changed;
    for (const device of this.#directory.all()) {
      if (device.revision <= revision) continue;
      const place = this.#own.placeOf(device.id);
      if (place !== undefined) changed.add(place);
    }
    return changed;
  }

  around(records: readonly DeviceRecord[]): Places {
    // Counting the fleet takes a while, and not every plan asks for it.
    let flight: InFlight | undefined;
    let counted: PlaceCounts | undefined;
    const inFlight = () => {
      flight ??= this.#inFlight(records);
      return flight;
    };
    const places = () => {
      counted ??= this.#directory.places(inFlight().told);
      return counted;
    };
    return {
      siteOf: (path) => this.#directory.sites.effective(path),
      site: (path) => places().site(path),
      region: (path, depth) => places().region(path, depth),
      hardwareClass: (name) => places().hardwareClass(name),
      outstandingBytes: (site) => inFlight().outstanding.get(site) ?? 0,
      whereIs: (record) => this.#directory.get(record.device) ?? record,
      isUnavailable: (id) => {
        const device = this.#directory.get(id);
        return !device || isUnavailable(device, inFlight().told);
      },
    };
  }

  #inFlight(own: readonly DeviceRecord[]): InFlight {
    const flight: InFlight = { told: new Set(), outstanding: new Map() };
    for (const { rollout } of this.#loaded)
      addInFlight(rollout.id === this.#own.rollout.id ? own : rollout.devices, flight);
    return flight;
  }
}

interface InFlight {
  /** Devices that are being changed. */
  told: Set<string>;
  /** Bytes that they have still to download, by site. */
  outstanding: Map<string, number>;
}

function addInFlight(records: readonly DeviceRecord[], { told, outstanding }: InFlight): void {
  for (const record of records) {
    if (record.status !== "told" && record.status !== "returning") continue;
    told.add(record.device);
    if (isDownloading(record))
      outstanding.set(record.site, (outstanding.get(record.site) ?? 0) + record.bytes);
  }
}

/** The last end that the reported state carries: it may be here before the record of the outbox. */
function fromState(state: ReportedState | null): Attempt | undefined {
  if (!state?.lastResult) return undefined;
  const { generation, release, outcome, failure } = state.lastResult;
  return { generation, digest: release?.digest ?? null, outcome, failure: failure ?? null };
}
