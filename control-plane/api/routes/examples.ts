import type { ExampleRow } from "../../examples/example-rows.ts";
import type { ApiApp } from "../app.ts";
import {
  type ExampleLine,
  ExampleList,
  ExampleQuery,
  ExampleResource,
  exampleParams,
} from "../schemas/examples.ts";
import type { OperatorServices } from "../services.ts";

const DEFAULT_LIMIT = 100;

const lineOf = ({ received_at: receivedAt, keep, ...row }: ExampleRow): ExampleLine => ({
  ...row,
  receivedAt,
  keep: keep === "inputs" ? "inputs" : "summary",
});

export function exampleRoutes(
  app: ApiApp,
  { examples, fleet, drift }: Pick<OperatorServices, "examples" | "fleet" | "drift">,
): void {
  app.get(
    "/examples",
    {
      config: { access: "examples.see" },
      schema: {
        summary: "Hard examples, newest first",
        querystring: ExampleQuery,
        response: { 200: ExampleList },
      },
    },
    async ({ query, reach }) => {
      const device = query.device === undefined ? undefined : fleet.resolve(query.device);
      const release = drift.releaseOf(query.release);
      const found = examples.list({
        ...query,
        ...(reach.isEverywhere ? {} : { sites: reach.sites }),
        device,
        release,
        limit: query.limit ?? DEFAULT_LIMIT,
      });
      return { examples: found.map(lineOf) };
    },
  );

  app.get(
    "/examples/:hex",
    {
      config: { access: "examples.see" },
      schema: { params: exampleParams, response: { 200: ExampleResource } },
    },
    async (request) => {
      const { row, header } = await examples.get(examples.resolve(request.params.hex, request.reach));
      return { ...lineOf(row), header };
    },
  );

  app.get(
    "/examples/:hex/content",
    {
      config: { access: "examples.see" },
      schema: {
        summary: "The example as the device sent it: a line of JSON, then its tensors",
        params: exampleParams,
      },
    },
    async (request, reply) => {
      const { bytes } = await examples.get(examples.resolve(request.params.hex, request.reach));
      return reply.type("application/octet-stream").send(Buffer.from(bytes));
    },
  );

  app.delete(
    "/examples/:hex",
    { config: { access: "examples.see" }, schema: { params: exampleParams } },
    async (request, reply) => {
      await examples.delete(examples.resolve(request.params.hex, request.reach));
      return reply.code(204).send();
    },
  );
}
