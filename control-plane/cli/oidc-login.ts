import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isErrorCode, MusterError } from "@muster/shared/errors";
import { challengeOf } from "../people/oidc/one-time-codes.ts";

/** What came back from the browser. */
export interface BrowserAnswer {
  code: string;
  verifier: string;
}

const TIMEOUT_MS = 10 * 60_000;
const PAGE = (text: string): string =>
  `<!doctype html><meta charset="utf-8"><title>Muster</title><p>${text} You may close this window.</p>`;

/**
 * Waits on loopback for the browser to come back from a sign-in (RFC 8252 section 7.3). Only who began it can use the
 * code that comes: the address that is opened carries the challenge of a verifier that stays here.
 * @param begin address of the control plane where a sign-in begins
 * @param open shows the address to the person, or opens it
 * @throws MusterError `access.sign-in-failed`, `request.timeout`, or as the control plane says
 */
export async function signInByBrowser(begin: URL, open: (url: URL) => void): Promise<BrowserAnswer> {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(24).toString("base64url");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = new URL(begin);
    url.searchParams.set("port", String((server.address() as AddressInfo).port));
    url.searchParams.set("challenge", challengeOf(verifier));
    url.searchParams.set("state", state);
    const answer = answerAt(server, state);
    open(url);
    return { code: await answer, verifier };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function answerAt(server: Server, state: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new MusterError("request.timeout", "Nobody signed in within 10 minutes.")),
      TIMEOUT_MS,
    );
    server.on("request", (request, response) => {
      const { url: path = "/" } = request;
      const url = URL.canParse(path, "http://127.0.0.1") ? new URL(path, "http://127.0.0.1") : undefined;
      const answer = url?.searchParams ?? new URLSearchParams();
      // A page that guesses the port must not be able to end the wait.
      if (answer.get("state") !== state) return void response.writeHead(404).end();
      clearTimeout(timer);
      const code = answer.get("code");
      const text = code === null ? "The sign-in failed; the terminal says why." : "You are signed in.";
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", connection: "close" });
      response.end(PAGE(text), () => {
        if (code !== null) return resolve(code);
        const error = answer.get("error") ?? "";
        const known = isErrorCode(error) ? error : "access.sign-in-failed";
        reject(new MusterError(known, answer.get("message") ?? undefined));
      });
    });
  });
}
