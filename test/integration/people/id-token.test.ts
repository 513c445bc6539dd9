import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { OidcSettings } from "@muster/control-plane/people/oidc/oidc-file";
import { Provider } from "@muster/control-plane/people/oidc/provider";
import { isMusterError } from "@muster/shared/errors";

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const newKey = () => generateKeyPairSync("rsa", { modulusLength: 2048 });

/** What a bad provider, or somebody in between, may put into an ID token. */
interface Forgery {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  foreignKey?: boolean;
  signature?: string;
}

/** A provider that answers whatever it is told to. */
describe("ID tokens", () => {
  const own = newKey();
  const foreign = newKey();
  let server: Server;
  let issuer: string;
  let forgery: Forgery = {};
  let nonce = "";
  let challenge = "";
  let verified = false;

  before(async () => {
    server = createServer((request, response) => {
      const answer = (body: unknown) => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(body));
      };
      const { pathname } = new URL(request.url ?? "/", issuer);
      if (pathname === "/.well-known/openid-configuration")
        return answer({
          issuer,
          authorization_endpoint: `${issuer}/auth`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["RS256"],
        });
      if (pathname === "/jwks")
        return answer({
          keys: [{ ...own.publicKey.export({ format: "jwk" }), kid: "own", alg: "RS256", use: "sig" }],
        });
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => {
        const verifier = new URLSearchParams(body).get("code_verifier") ?? "";
        verified = createHash("sha256").update(verifier).digest("base64url") === challenge;
        answer({ access_token: "a", token_type: "Bearer", id_token: idToken() });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function idToken(): string {
    const now = Math.floor(Date.now() / 1000);
    const header = base64({ alg: "RS256", kid: "own", ...forgery.header });
    const claims = {
      iss: issuer,
      sub: "anna",
      aud: "muster",
      iat: now,
      exp: now + 60,
      nonce,
      ...forgery.claims,
    };
    const input = `${header}.${base64(claims)}`;
    const key = (forgery.foreignKey ? foreign : own).privateKey;
    return `${input}.${forgery.signature ?? sign("sha256", Buffer.from(input), key).toString("base64url")}`;
  }

  async function signIn(given: Forgery, more = ""): Promise<unknown> {
    forgery = given;
    const settings = {
      issuer: new URL(issuer),
      clientId: "muster",
      clientSecret: undefined,
      publicUrl: new URL("http://127.0.0.1:1"),
      scopes: ["openid"],
    } as unknown as OidcSettings;
    const provider = new Provider(settings);
    const { url, checks } = await provider.begin();
    nonce = url.searchParams.get("nonce") ?? "";
    challenge = url.searchParams.get("code_challenge") ?? "";
    return await provider.finish(`code=x&state=${more || checks.state}`, checks);
  }

  it("are taken when everything fits, and the code only with the verifier of this sign-in", async () => {
    assert.equal(((await signIn({})) as { sub: string }).sub, "anna");
    assert.ok(verified);
  });

  const hour = 3600;
  const now = Math.floor(Date.now() / 1000);
  const FORGERIES: [what: string, forgery: Forgery][] = [
    ["a signature of another key", { foreignKey: true }],
    ["no signature", { header: { alg: "none", kid: undefined }, signature: "" }],
    ["a signature that is none", { signature: "AAAA" }],
    ["HMAC with the public key", { header: { alg: "HS256" } }],
    ["an unknown key", { header: { kid: "other" }, foreignKey: true }],
    ["another audience", { claims: { aud: "somebody-else" } }],
    ["another issuer", { claims: { iss: "http://127.0.0.1:1" } }],
    ["another nonce", { claims: { nonce: "of another sign-in" } }],
    ["no nonce", { claims: { nonce: undefined } }],
    ["an end that is past", { claims: { exp: now - hour, iat: now - 2 * hour } }],
    ["no end", { claims: { exp: undefined } }],
    ["no subject", { claims: { sub: undefined } }],
    ["several audiences and another party", { claims: { aud: ["muster", "x"], azp: "x" } }],
    ["a beginning that is to come", { claims: { nbf: now + hour } }],
  ];
  for (const [what, given] of FORGERIES)
    it(`are refused with ${what}`, async () => {
      await assert.rejects(signIn(given), (error) => isMusterError(error, "access.sign-in-failed"));
    });

  it("are not even asked for where the state is another", async () => {
    await assert.rejects(signIn({}, "stolen"), (error) => isMusterError(error, "access.sign-in-failed"));
  });
});
