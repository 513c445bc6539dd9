import { createServer } from "node:net";

/** Below what Linux and macOS give to those who ask for any port: other tests that do so never get these. */
const FIRST = 20_000;
const COUNT = 12_000;
const TRIES = 100;

/** A port of loopback that nothing listens on, for servers that have to know theirs before they start. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error("no port of loopback is free");
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
