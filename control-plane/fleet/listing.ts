import { MusterError } from "@muster/shared/errors";
import { Reach } from "../people/reach.ts";
import type { Directory } from "./directory.ts";
import type { FleetDevice } from "./fleet-device.ts";
import { matches, parseSelector } from "./selector.ts";
import type { DeviceQuery, Page } from "./types.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/**
 * One page of the devices within reach that a query describes, by site and name.
 * @throws MusterError `request.invalid` for a limit or cursor that is none, `selector.invalid`
 */
export function listDevices(
  directory: Directory,
  query: DeviceQuery,
  reach: Reach = Reach.everywhere,
): Page<FleetDevice> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new MusterError("request.invalid", `A page has 1 to ${MAX_LIMIT} devices, not ${limit}.`);
  const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
  const isWanted = filterOf(directory, query);
  const items: FleetDevice[] = [];
  for (const device of directory.inOrder()) {
    if (after && !isAfter(device, after)) continue;
    if (!reach.covers(device.site) || !isWanted(device)) continue;
    if (items.length === limit) return { items, next: cursorOf(items.at(-1)) };
    items.push(device);
  }
  return { items, next: null };
}

/** Cheap questions first: a selector may ask for groups, liveness asks the clock. */
function filterOf(directory: Directory, query: DeviceQuery): (device: FleetDevice) => boolean {
  const { site, status, liveness, release } = query;
  const text = query.text?.toLowerCase();
  const selector = query.selector === undefined ? undefined : parseSelector(query.selector);
  if (selector) directory.requireGroups(selector);
  return (device) =>
    (status === undefined || device.status === status) &&
    (site === undefined || device.site === site || device.site.startsWith(`${site}/`)) &&
    (release === undefined || device.running?.digest === release) &&
    (text === undefined || device.name.toLowerCase().includes(text) || device.id.includes(text)) &&
    (liveness === undefined || device.liveness === liveness) &&
    (selector === undefined || matches(selector, device));
}

type Position = [site: string, name: string];

const isAfter = (device: FleetDevice, [site, name]: Position): boolean =>
  device.site > site || (device.site === site && device.name > name);

const cursorOf = (last: FleetDevice | undefined): string =>
  Buffer.from(JSON.stringify([last?.site, last?.name])).toString("base64url");

function readCursor(cursor: string): Position {
  try {
    const [site, name] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if (typeof site === "string" && typeof name === "string") return [site, name];
  } catch {
    // Falls through to the one error below.
  }
  throw new MusterError("request.invalid", "This is not the cursor of a page of devices.");
}
