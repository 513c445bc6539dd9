import { MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { TrustRepository } from "../trust/repository.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { requestedRange } from "./byte-range.ts";
import type { ReleaseRegistry } from "./registry.ts";

export interface DeviceReleaseRoutes {
  trust: Pick<TrustRepository, "file">;
  releases: Pick<ReleaseRegistry, "manifestText" | "hasArtifact">;
  artifacts: Pick<ArtifactStore, "size" | "read">;
}

const IMMUTABLE = "public, max-age=31536000, immutable";

/**
 * What devices fetch: TUF metadata, release manifests by consistent-snapshot names, and artifacts with ranges.
 * Register it without a prefix on the device listener, behind its client certificate check; failures are thrown
 * as MusterError for the listener to answer.
 */
export const deviceReleaseRoutes: FastifyPluginAsync<DeviceReleaseRoutes> = async (app, options) => {
  const { trust, releases, artifacts } = options;
  const json = (reply: FastifyReply, text: string, caching: string) =>
    reply.type("application/json").header("cache-control", caching).send(text);

  app.get<{ Params: { file: string } }>(`${DEVICE_API.tuf}:file`, async (request, reply) => {
    const { file } = request.params;
    const text = await trust.file(file);
    if (text === undefined) throw new MusterError("request.not-found", `There is no metadata ${file}.`);
    return json(reply, text, file === "timestamp.json" ? "no-cache" : IMMUTABLE);
  });

  app.get<{ Params: { name: string; file: string } }>(
    `${DEVICE_API.targets}releases/:name/:file`,
    async (request, reply) => {
      const { name, file } = request.params;
      const match = /^([0-9a-f]{64})\.(.{1,64})\.json$/.exec(file);
      const text = match && (await releases.manifestText(name, match[2] as string, match[1] as string));
      if (!text) throw new MusterError("request.not-found", `There is no target ${name}/${file}.`);
      return json(reply, text, IMMUTABLE);
    },
  );

  const artifact = async (request: FastifyRequest<{ Params: { hex: string } }>, reply: FastifyReply) => {
    const { hex } = request.params;
    const size = (await releases.hasArtifact(hex)) ? await artifacts.size(hex) : undefined;
    if (size === undefined) throw new MusterError("request.not-found", `There is no artifact ${hex}.`);
    const etag = `"${hex}"`;
    reply.headers({ etag, "accept-ranges": "bytes", "cache-control": IMMUTABLE });
    reply.type("application/octet-stream");
    if (request.method === "HEAD") return reply.header("content-length", size).send();
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    const asked = {
      range: request.headers.range,
      ifRange: request.headers["if-range"] as string | undefined,
    };
    const range = requestedRange(asked, size, etag);
    if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${size}`).send();
    if (range === "all") return reply.header("content-length", size).send(artifacts.read(hex));
    return reply
      .code(206)
      .header("content-range", `bytes ${range.start}-${range.end}/${size}`)
      .header("content-length", range.end - range.start + 1)
      .send(artifacts.read(hex, range));
  };
  app.route({ method: ["GET", "HEAD"], url: `${DEVICE_API.artifacts}:hex`, handler: artifact });
};
