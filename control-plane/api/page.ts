import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ApiApp } from "./app.ts";

/** The files of the page by their addresses. The list is closed: no other file can be asked for. */
const FILES = {
  "/": "index.html",
  "/icon.svg": "icon.svg",
  "/page.css": "page.css",
  "/page.js": "page.js",
  "/api.js": "api.js",
  "/attention.js": "attention.js",
  "/devices.js": "devices.js",
  "/dom.js": "dom.js",
  "/overview.js": "overview.js",
  "/rollouts.js": "rollouts.js",
  "/words.js": "words.js",
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Both `api/` in the sources and `dist/api/` lie in the package whose `web/public/` this is. */
const folder = new URL(
  import.meta.url.includes("/dist/api/") ? "../../web/public/" : "../web/public/",
  import.meta.url,
);

/** Serves the fleet page. It holds no data; what it shows it asks of the API with the operator's token or session. */
export async function servePage(app: ApiApp): Promise<void> {
  for (const [path, name] of Object.entries(FILES)) {
    const body = await readFile(fileURLToPath(new URL(name, folder)));
    const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    app.get(path, { config: { access: "public" }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(type).send(body),
    );
  }
}
