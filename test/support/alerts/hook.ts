import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Notification } from "@muster/control-plane/alerts/delivery/notification";

export interface Post {
  headers: IncomingHttpHeaders;
  text: string;
  body: Notification;
}

type Answer = (response: ServerResponse, post: Post) => void;

const taken: Answer = (response) => response.writeHead(204).end();

/** A webhook that keeps what it is sent. */
export class Hook {
  readonly posts: Post[] = [];
  answer: Answer = taken;
  readonly #server: Server;
  #port = 0;
  readonly #scheme: string;

  constructor(tls?: { key: string; cert: string }) {
    this.#scheme = tls ? "https" : "http";
    this.#server = tls ? createTlsServer(tls) : createServer();
    this.#server.on("request", (request, response: ServerResponse) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        const post: Post = { headers: request.headers, text, body: JSON.parse(text) as Notification };
        this.posts.push(post);
        this.answer(response, post);
      });
    });
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/hook`;
  }

  /** On the port that it had before, if it had one. */
  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What came, in words. */
  heard(): string[] {
    return this.posts.map(
      ({ body: { status, firing, resolved } }) =>
        `${status}: ${firing.map(({ rule }) => rule).join(" ")} / ${resolved.map(({ rule }) => rule).join(" ")}`,
    );
  }
}

/** As docs/alerts.md tells receivers to do it. */
export function isSigned({ headers, text }: Post, secret: string): boolean {
  const [, time = "", mac = ""] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["muster-signature"])) ?? [];
  const expected = createHmac("sha256", secret).update(`${time}.${text}`).digest();
  const given = Buffer.from(mac, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
