import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** Groups of each person who can sign in; the password is not asked for. */
export type People = Readonly<Record<string, readonly string[]>>;

/** A real identity provider (oidc-provider) on loopback. */
export class TestProvider {
  readonly issuer: string;
  readonly #server: Server;

  private constructor(issuer: string, server: Server) {
    this.issuer = issuer;
    this.#server = server;
  }

  static async start(redirectUri: string, people: People): Promise<TestProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    // Another site than 127.0.0.1, as browsers see it.
    const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(issuer, {
      clients: [
        { client_id: "muster", client_secret: "a-secret-of-the-client", redirect_uris: [redirectUri] },
      ],
      scopes: ["openid", "profile", "groups"],
      claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
      findAccount: (_ctx, id) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, groups: [...(people[id] ?? [])] }),
      }),
      cookies: { keys: ["only for tests"] },
      pkce: { required: () => true },
    });
    server.on("request", provider.callback());
    return new TestProvider(issuer, server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
