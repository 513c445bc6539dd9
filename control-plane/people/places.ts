import { MusterError } from "@muster/shared/errors";
import type { FastifyRequest } from "fastify";
import type { Reach } from "./reach.ts";

/**
 * The id of the device that an operator names, of those that `isSeen`.
 * @throws MusterError `request.not-found`, or `request.conflict` when it names several
 */
export type FindDevice = (reference: string, isSeen: (site: string) => boolean) => string;

const isRead = ({ method }: FastifyRequest): boolean => method === "GET" || method === "HEAD";

/**
 * What a caller may not see is not there for him; whether he may not change it or it does not exist is one answer.
 */
const outside = (request: FastifyRequest, what: string): MusterError =>
  isRead(request)
    ? new MusterError("request.not-found", `There is no ${what} that you may see.`)
    : new MusterError("access.denied", `There is no ${what} that you may change: ${request.reach.text}.`);

/**
 * Keeps a request to the reach of its caller: devices and sites that its path or query names.
 * A device is found among those that the caller may reach, and stands in the request by its id from then on.
 * @throws MusterError `request.not-found` for reading, `access.denied` for changing what lies outside
 */
export function keepWithin(request: FastifyRequest, find: FindDevice): void {
  const { reach } = request;
  if (!reach || reach.isEverywhere) return;
  const params = (request.params ?? {}) as Record<string, string>;
  const query = (request.query ?? {}) as Record<string, unknown>;
  if (params.device !== undefined) params.device = known(request, params.device, find);
  if (typeof query.device === "string") query.device = known(request, query.device, find);
  if (typeof query.site === "string") requireSite(request, query.site);
  if (request.routeOptions.url?.endsWith("/sites/*")) requireSite(request, params["*"] ?? "");
}

function known(request: FastifyRequest, reference: string, find: FindDevice): string {
  try {
    return find(reference, (site) => request.reach.covers(site));
  } catch (error) {
    if (error instanceof MusterError && error.code === "request.not-found")
      throw outside(request, `device ${reference}`);
    throw error;
  }
}

/**
 * For a site that a body names; null stands for the fleet.
 * @throws MusterError `request.not-found` for reading, `access.denied` for changing what lies outside
 */
export function requireSite(request: FastifyRequest, site: string | null | undefined): void {
  const { reach } = request;
  if (reach.isEverywhere || (site && reach.covers(site))) return;
  throw outside(request, site ? `site ${site}` : "whole fleet");
}

/** Those that lie within. */
export const within = <T>(items: readonly T[], reach: Reach, siteOf: (item: T) => string | null): T[] =>
  reach.isEverywhere
    ? [...items]
    : items.filter((item) => {
        const site = siteOf(item);
        return site !== null && reach.covers(site);
      });
