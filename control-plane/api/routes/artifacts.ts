import type { Readable } from "node:stream";
import { MusterError } from "@muster/shared/errors";
import { Count, Digest } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { ArtifactStore } from "../../releases/artifact-store.ts";
import type { ApiApp } from "../app.ts";
import { closed } from "../schemas/common.ts";

const params = Type.Object({ hex: Type.String({ pattern: "^[0-9a-f]{64}$" }) }, closed);
const Stored = Type.Object({ digest: Digest, size: Count, created: Type.Boolean() }, closed);

/** Uploads are streamed to the store: their size is the store's limit, not that of a JSON body. */
export function artifactRoutes(app: ApiApp, artifacts: ArtifactStore): void {
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

  app.put(
    "/artifacts/:hex",
    {
      config: { access: "releases.add" },
      schema: {
        summary: "Upload an artifact (application/octet-stream) under the SHA-256 of its content",
        params,
        response: { 200: Stored, 201: Stored },
      },
    },
    async (request, reply) => {
      if (!request.headers["content-type"]?.startsWith("application/octet-stream"))
        throw new MusterError("request.invalid", "An artifact is sent as application/octet-stream.");
      const announced = Number(request.headers["content-length"] ?? 0);
      const stored = await artifacts.put(request.params.hex, request.body as Readable, announced);
      return reply.code(stored.created ? 201 : 200).send(stored);
    },
  );

  app.head(
    "/artifacts/:hex",
    { config: { access: "releases.see" }, schema: { params } },
    async (request, reply) => {
      const size = await artifacts.size(request.params.hex);
      if (size === undefined) throw new MusterError("request.not-found");
      return reply.header("content-length", size).send();
    },
  );
}
