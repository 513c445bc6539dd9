import { MusterError } from "@muster/shared/errors";
import type { ApiApp } from "./app.ts";
import { sendProblem } from "./problems.ts";

const pattern = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split("/")
      .map((part) => {
        if (part === "*") return ".+";
        return part.startsWith(":") ? "[^/]+" : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      })
      .join("/")}$`,
  );

/** Answers 404, or 405 with `Allow` where the address exists for other methods. Call it before the routes. */
export function answerUnknownAddresses(app: ApiApp): void {
  const known: { path: RegExp; methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    known.push({ path: pattern(url), methods: [method].flat() });
  });
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const methods = known.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    if (methods.length === 0)
      return sendProblem(reply, new MusterError("request.not-found", `There is nothing at ${path}.`));
    const allowed = [...new Set(methods)].sort().join(", ");
    reply.header("allow", allowed);
    return sendProblem(
      reply,
      new MusterError("request.method-not-allowed", `${path} takes ${allowed}, not ${request.method}.`),
    );
  });
}
