import type { SelectorSubject } from "../fleet/selector.ts";
import type { Alert } from "./alert.ts";
import type { AlertPlaces } from "./signal-source.ts";

/**
 * An alert as a selector sees it: the facts and labels of its device, or of its site where it stands for no single
 * device, and the labels `rule` and `severity`.
 */
export function alertSubject({ place, rule, severity }: Alert, places: AlertPlaces): SelectorSubject {
  const device = place.device === null ? undefined : places.device(place.device);
  const labels =
    device?.effectiveLabels ?? (place.site === null ? undefined : places.labelsOfSite(place.site));
  return {
    id: place.device ?? "",
    name: place.name ?? "",
    site: place.site ?? "",
    hardwareClass: place.hardwareClass ?? "",
    // A selector that does not name the status would else leave out the alerts of devices revoked meanwhile.
    status: "active",
    liveness: device?.liveness ?? "offline",
    trust: device?.trust ?? { assurance: "software", verdict: "none", withheld: false },
    agentVersion: device?.agentVersion ?? null,
    arch: device?.arch ?? "",
    running: device?.running ?? null,
    effectiveLabels: { ...labels, rule, severity },
    inGroup: (group) => device?.inGroup(group) ?? false,
    inAnyGroup: () => device?.inAnyGroup() ?? false,
  };
}
