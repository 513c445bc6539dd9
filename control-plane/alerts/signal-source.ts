import type { Labels } from "@muster/shared/protocol/primitives";
import type { SelectorSubject } from "../fleet/selector.ts";
import type { Signals } from "./signals.ts";

/** A device as rules see it. */
export interface DeviceSubject {
  facts: SelectorSubject;
  signals: Signals;
}

export interface RolloutSubject {
  rollout: string;
  /** What people call it: its release. */
  name: string;
  /** Why it is in its state; ends with a full stop, or is empty. */
  about: string;
  signals: Signals;
}

/** Who is where, for selectors over alerts. */
export interface AlertPlaces {
  device(id: string): SelectorSubject | undefined;
  /** Labels of the site, inherited ones with them. */
  labelsOfSite(path: string): Labels;
}

/** Where the alert engine reads what it judges. A signal that is not known is absent. */
export interface SignalSource extends AlertPlaces {
  /** Reads what has to be waited for; called before each evaluation. */
  refresh(): Promise<void>;
  /** Active devices. */
  devices(): Iterable<DeviceSubject>;
  rollouts(): Iterable<RolloutSubject>;
  controlPlane(): Signals;
}
