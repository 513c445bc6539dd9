import { isMusterError, MusterError } from "@muster/shared/errors";
import { Labels } from "@muster/shared/protocol/primitives";
import { validate } from "@muster/shared/protocol/validate";
import type { Stores } from "../storage/database.ts";
import type { Directory } from "./directory.ts";
import type { FleetDevice } from "./fleet-device.ts";
import { parseSelector } from "./selector.ts";

/** Devices that one transaction writes; more would hold up everything else for too long. */
const WRITE_CHUNK = 500;
const EXAMPLES = 20;

export interface Relabelling {
  /** Devices that the selector selects. */
  matched: number;
  /** Those of them whose labels are not so already. */
  changed: number;
  /** Some of the changed ones, by site and name. */
  examples: { device: string; name: string; site: string }[];
}

/**
 * Sets (or with null takes away) labels on every device that the selector selects. Repeating it changes nothing
 * more. With `dryRun` it only says what it would do.
 * @throws MusterError `selector.invalid`, or `request.invalid` when a device would have too many labels; nothing
 * is changed then
 */
export async function relabel(
  { writeControl }: Pick<Stores, "writeControl">,
  directory: Directory,
  request: { selector: string; labels: Record<string, string | null>; dryRun: boolean },
): Promise<Relabelling> {
  directory.refresh();
  const selector = parseSelector(request.selector);
  directory.requireGroups(selector);
  const selected = directory.matching(selector);
  const changes = selected.flatMap((device) => {
    const labels = labelsOf(device, request.labels);
    return labels === undefined ? [] : [{ device, labels }];
  });
  if (!request.dryRun)
    for (let first = 0; first < changes.length; first += WRITE_CHUNK)
      await writeControl((db) => {
        const update = db.prepare("UPDATE devices SET labels = ? WHERE id = ?");
        for (const { device, labels } of changes.slice(first, first + WRITE_CHUNK))
          update.run(labels, device.id);
      });
  return {
    matched: selected.length,
    changed: changes.length,
    examples: changes
      .slice(0, EXAMPLES)
      .map(({ device: { id, name, site } }) => ({ device: id, name, site })),
  };
}

/** Labels of the device after the change as JSON, undefined where they are so already. */
function labelsOf(device: FleetDevice, change: Record<string, string | null>): string | undefined {
  const { labels, name, site } = device;
  if (Object.entries(change).every(([key, value]) => (labels[key] ?? null) === value)) return undefined;
  const merged = Object.entries({ ...labels, ...change }).filter(([, value]) => value !== null);
  try {
    return JSON.stringify(validate(Labels, Object.fromEntries(merged), "request.invalid"));
  } catch (error) {
    if (!isMusterError(error, "request.invalid")) throw error;
    throw new MusterError("request.invalid", `Device ${name} at ${site}: ${error.message}`, { cause: error });
  }
}
