/** What the demo measured. */
export interface Summary {
  devices: number;
  sites: number;
  resultsProduced: number;
  resultsStored: number;
  requestsFailed: number;
  resultsProducedDuringOutage: number;
  devicesPerRelease: Record<string, number>;
  devicesThatSawTheBadRelease: number;
  secondsToCatch: number;
  secondsToRevert: number;
  /** Devices whose newest evidence shows what they were told to run. */
  devicesThatPass: number;
  auditEntries: number;
}

/** The summary as a short table for people. */
export function summaryLines(summary: Summary): string[] {
  const releases = Object.entries(summary.devicesPerRelease).map(([name, count]) => `${count} on ${name}`);
  const rows = [
    ["Devices", `${summary.devices} at ${summary.sites} sites, ${releases.join(", ")}`],
    ["Results", `${summary.resultsProduced} answered, ${summary.resultsStored} stored`],
    ["Requests", `${summary.requestsFailed} failed`],
    ["Bad release", `reached ${summary.devicesThatSawTheBadRelease} of ${summary.devices} devices`],
    ["  caught", `after ${summary.secondsToCatch} s`],
    ["  reverted", `in ${summary.secondsToRevert} s`],
    ["Attestation", `${summary.devicesThatPass} of ${summary.devices} devices pass`],
    ["Audit log", `${summary.auditEntries} entries, whole`],
    ["Outage", `${summary.resultsProducedDuringOutage} results meanwhile, all of them stored afterwards`],
  ];
  return rows.map(([name = "", value = ""]) => `  ${name.padEnd(13)}${value}`);
}
