import type { RolloutSubject, SignalSource } from "@muster/control-plane/alerts/signal-source";
import type { Signals } from "@muster/control-plane/alerts/signals";
import type { SelectorSubject } from "@muster/control-plane/fleet/selector";

/** A device as selectors see it. */
export const deviceAt = (
  id: string,
  site: string,
  labels: Record<string, string> = {},
  hardwareClass = "linux-x64-cpu",
): SelectorSubject => ({
  id,
  name: `name-${id}`,
  site,
  hardwareClass,
  status: "active",
  liveness: "online",
  trust: { assurance: "software", verdict: "none", withheld: false },
  agentVersion: "1.0.0",
  arch: "x64",
  running: null,
  effectiveLabels: labels,
  inGroup: () => false,
  inAnyGroup: () => false,
});

/** Signals as a test sets them. */
export class ScriptedFleet implements SignalSource {
  readonly signals = new Map<string, Signals>();
  readonly #devices = new Map<string, SelectorSubject>();
  own: Signals = {};
  rolloutList: RolloutSubject[] = [];

  add(device: SelectorSubject, signals: Signals = { offline: 0 }): this {
    this.#devices.set(device.id, device);
    this.signals.set(device.id, signals);
    return this;
  }

  remove(id: string): void {
    this.#devices.delete(id);
  }

  set(id: string, signals: Signals): void {
    this.signals.set(id, signals);
  }

  async refresh(): Promise<void> {}

  *devices() {
    for (const [id, facts] of this.#devices) yield { facts, signals: this.signals.get(id) ?? {} };
  }

  rollouts(): RolloutSubject[] {
    return this.rolloutList;
  }

  controlPlane(): Signals {
    return this.own;
  }

  device(id: string): SelectorSubject | undefined {
    return this.#devices.get(id);
  }

  labelsOfSite(): Record<string, string> {
    return {};
  }
}
