import { MusterError } from "@muster/shared/errors";
import type { Directory } from "./directory.ts";
import type { FleetDevice } from "./fleet-device.ts";

const MIN_PREFIX = 4;

/**
 * Of the devices whose sites are seen, the one behind its id, `site/name`, a name that only one device has, or the beginning of an id.
 * @throws MusterError `request.not-found`, or `request.conflict` when it names several
 */
export function findDevice(
  directory: Directory,
  reference: string,
  isSeen: (site: string) => boolean = () => true,
): FleetDevice {
  const exact = directory.get(reference);
  if (exact && isSeen(exact.site)) return exact;
  const slash = reference.lastIndexOf("/");
  const name = reference.slice(slash + 1);
  const site = slash < 0 ? undefined : reference.slice(0, slash);
  const byName = some(
    directory,
    (device) => isSeen(device.site) && device.name === name && (site === undefined || device.site === site),
  );
  const mayBeId = slash < 0 && reference.length >= MIN_PREFIX && /^d[a-z2-7]*$/.test(reference);
  const [only, other] =
    byName.length > 0 || !mayBeId
      ? byName
      : some(directory, ({ id, site }) => isSeen(site) && id.startsWith(reference));
  if (!only) throw new MusterError("request.not-found", `There is no device ${reference}.`);
  if (other)
    throw new MusterError(
      "request.conflict",
      `${reference} names several devices, e.g. ${only.site}/${only.name} (${only.id}) and ${other.site}/${other.name} (${other.id}).`,
    );
  return only;
}

/** Up to two of them: more than one is too many. */
function some(directory: Directory, isMeant: (device: FleetDevice) => boolean): FleetDevice[] {
  const found: FleetDevice[] = [];
  for (const device of directory.inOrder()) {
    if (!isMeant(device)) continue;
    found.push(device);
    if (found.length === 2) break;
  }
  return found;
}
