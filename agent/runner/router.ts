import type { IncomingMessage } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { type Answer, jsonAnswer } from "./http.ts";
import { healthRoutes } from "./routes/health.ts";
import { inferRoutes } from "./routes/infer.ts";
import { metadataRoutes } from "./routes/metadata.ts";
import { repositoryRoutes } from "./routes/repository.ts";
import type { Route, Service } from "./routes/route.ts";

const ROUTES = [...healthRoutes, ...metadataRoutes, ...repositoryRoutes, ...inferRoutes].map((route) => ({
  route,
  segments: route.path.split("/").slice(1),
}));

/** Finds the route of a request and lets it answer. @throws MusterError what the route throws */
export async function dispatch(service: Service, request: IncomingMessage): Promise<Answer> {
  const segments = segmentsOf(request.url ?? "/");
  const matches = ROUTES.flatMap(({ route, segments: pattern }) => {
    const parameters = match(pattern, segments);
    return parameters ? [{ route, parameters }] : [];
  });
  const found = matches.find(({ route }) => route.method === request.method);
  if (found) return found.route.handle(service, request, found.parameters);
  if (matches.length === 0) throw new MusterError("request.not-found", "There is nothing at this address.");
  return methodNotAllowed(matches.map(({ route }) => route));
}

function methodNotAllowed(routes: readonly Route[]): Answer {
  const allow = routes.map(({ method }) => method).join(", ");
  return jsonAnswer(405, { error: `This address takes ${allow}.`, code: "request.invalid" }, { allow });
}

/** Path segments, decoded; one slash at the end does not matter. */
function segmentsOf(url: string): string[] {
  const path = url.split("?", 1)[0]!.replace(/\/$/, "");
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch (cause) {
    throw new MusterError("request.invalid", "The address has a malformed escape.", { cause });
  }
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!;
    if (part.startsWith(":")) parameters[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return parameters;
}
