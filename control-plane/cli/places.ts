import type { SiteList } from "../api/schemas/targeting.ts";
import type { OperatorClient } from "./client.ts";

/** True when devices are at a site or below it: what is said of a site that is misspelt holds nothing. */
export async function hasDevices(client: OperatorClient, site: string): Promise<boolean> {
  const { sites } = await client.get<SiteList>("/sites");
  return sites.some((each) => each.site === site && each.devices > 0);
}
