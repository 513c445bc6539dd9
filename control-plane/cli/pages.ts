import type { OperatorClient, Query } from "./client.ts";

const MAX_PAGE = 1000;

/** Devices of a list that comes in pages, at most `limit` of them. */
export async function allPages<Device>(
  client: OperatorClient,
  path: string,
  query: Query = {},
  limit = Number.POSITIVE_INFINITY,
): Promise<Device[]> {
  const devices: Device[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.get<{ devices: Device[]; next: string | null }>(path, {
      ...query,
      limit: Math.max(1, Math.min(MAX_PAGE, limit - devices.length)),
      cursor,
    });
    devices.push(...page.devices);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && devices.length < limit);
  return devices;
}
