import swagger from "@fastify/swagger";
import type { ApiApp } from "./app.ts";

/** Describes every route that is registered after it, at `/api/v1/openapi.json`. */
export async function describeApi(app: ApiApp, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Muster operator API",
        description: "Every failure is an RFC 9457 problem document with a code of the error catalogue.",
        version,
      },
      components: { securitySchemes: { operator: { type: "http", scheme: "bearer" } } },
      security: [{ operator: [] }],
    },
  });
  app.get("/api/v1/openapi.json", { config: { access: "public" }, schema: { hide: true } }, async () =>
    app.swagger(),
  );
}
