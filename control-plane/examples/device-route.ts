import { MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { EXAMPLE_HEADERS, EXAMPLE_PART_BYTES } from "@muster/shared/protocol/example-upload";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Examples } from "./examples.ts";

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NUMBER = /^\d{1,12}$/;

function headerOf(request: FastifyRequest, name: string, pattern: RegExp): string {
  const value = request.headers[name];
  if (typeof value !== "string" || !pattern.test(value))
    throw new MusterError("example.invalid", `The header ${name} is missing or of another shape.`);
  return value;
}

/** Where devices send hard examples, part by part. Register it behind the check of client certificates. */
export async function exampleRoute(app: FastifyInstance, examples: Pick<Examples, "take">): Promise<void> {
  app.addContentTypeParser(
    "application/octet-stream",
    { parseAs: "buffer", bodyLimit: EXAMPLE_PART_BYTES },
    (_request, body, done) => done(null, body),
  );
  app.post(DEVICE_API.examples, { bodyLimit: EXAMPLE_PART_BYTES }, async (request) => {
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    return await examples.take(request.device, {
      digest: headerOf(request, EXAMPLE_HEADERS.digest, DIGEST),
      size: Number(headerOf(request, EXAMPLE_HEADERS.size, NUMBER)),
      offset: Number(headerOf(request, EXAMPLE_HEADERS.offset, NUMBER)),
      bytes,
    });
  });
}
