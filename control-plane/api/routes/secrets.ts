import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { parseSelector } from "../../fleet/selector.ts";
import { confined, isConfined } from "../../people/confine.ts";
import { EVERYWHERE } from "../../people/grants.ts";
import { requireSite } from "../../people/places.ts";
import type { Reach } from "../../people/reach.ts";
import type { SecretScope } from "../../people/secrets/scope.ts";
import type { SecretStore } from "../../people/secrets/secret-store.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { closed, PathText } from "../schemas/common.ts";
import { NewSecret, SecretList, SecretResource, SecretRotation } from "../schemas/secrets.ts";
import type { OperatorServices } from "../services.ts";

/** Secrets go in here; they come out at the devices alone. */
export function secretRoutes(
  app: ApiApp,
  { secrets, fleet }: { secrets: SecretStore } & Pick<OperatorServices, "fleet">,
): void {
  const siteOf = (device: string, reach: Reach): boolean => {
    try {
      fleet.resolve(device, (site) => reach.covers(site));
      return true;
    } catch {
      return false;
    }
  };
  const isOwn = ({ device, site, selector }: SecretScope, reach: Reach): boolean => {
    if (reach.isEverywhere) return true;
    if (device !== undefined) return siteOf(device, reach);
    if (site !== undefined) return site !== EVERYWHERE && reach.covers(site);
    return isConfined(parseSelector(selector ?? ""), reach);
  };
  /** The scope as it is stored: a device by its id, a selector no wider than its author may reach. */
  const scopeOf = (request: FastifyRequest, { device, site, selector }: SecretScope): SecretScope => {
    const { reach } = request;
    if (device !== undefined) return { device: fleet.resolve(device, (path) => reach.covers(path)) };
    if (selector !== undefined) return { selector: confined(selector, reach) };
    requireSite(request, site === EVERYWHERE ? null : site);
    return { site: site ?? EVERYWHERE };
  };

  app.get(
    "/secrets",
    {
      config: { access: "secrets.manage" },
      schema: { summary: "Names and places of secrets, never a value", response: { 200: SecretList } },
    },
    async ({ reach }) => ({
      secrets: (await secrets.list()).filter(({ scope }) => isOwn(scope, reach)),
    }),
  );

  app.put(
    "/secrets",
    {
      config: { access: "secrets.manage" },
      schema: {
        summary: "Set a secret for a device, a site tree or a selector; nobody can read it again",
        body: NewSecret,
        response: { 200: SecretResource },
      },
    },
    async (request) => {
      const { name, scope, value } = request.body;
      const bytes = Buffer.from(value, "base64");
      try {
        return await secrets.set(name, scopeOf(request, scope), bytes, actorOf(request).name);
      } finally {
        bytes.fill(0);
      }
    },
  );

  app.delete(
    "/secrets/:id",
    {
      config: { access: "secrets.manage" },
      schema: { params: Type.Object({ id: PathText }, closed), response: { 200: SecretResource } },
    },
    async (request) => {
      const { id } = request.params;
      if (!request.reach.isEverywhere) {
        const known = (await secrets.list()).find((secret) => secret.id === id);
        if (!known || !isOwn(known.scope, request.reach)) requireSite(request, null);
      }
      return await secrets.remove(id);
    },
  );

  app.post(
    "/secrets/rotate",
    {
      config: { access: "trust.manage" },
      schema: {
        summary: "Store every secret under a new master key and forget the former ones",
        response: { 200: SecretRotation },
      },
    },
    async () => await secrets.rotate(),
  );

  app.get(
    "/devices/:device/secrets",
    {
      config: { access: "secrets.manage" },
      schema: {
        summary: "Which secrets a device gets",
        params: Type.Object({ device: PathText }, closed),
        response: { 200: SecretList },
      },
    },
    async (request) => ({ secrets: await secrets.ofDevice(fleet.resolve(request.params.device)) }),
  );
}
