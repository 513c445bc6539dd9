import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Version of this program, as its package says. */
export const AGENT_VERSION = (
  JSON.parse(readFileSync(fileURLToPath(import.meta.resolve("@muster/agent/package.json")), "utf8")) as {
    version: string;
  }
).version;
