import { MusterError } from "@muster/shared/errors";
import * as oidc from "openid-client";
import type { Claims } from "./mapping.ts";
import type { OidcSettings } from "./oidc-file.ts";

/** What has to come back as it went out. */
export interface Checks {
  state: string;
  nonce: string;
  verifier: string;
}

const TIMEOUT_S = 10;

/** Speaks to an identity provider (OpenID Connect Core 1.0: authorization code with PKCE, RFC 7636). */
export class Provider {
  readonly #settings: OidcSettings;
  #known: Promise<oidc.Configuration> | undefined;

  constructor(settings: OidcSettings) {
    this.#settings = settings;
  }

  get redirectUri(): URL {
    return new URL("api/v1/sign-in/callback", this.#settings.publicUrl.href.replace(/\/*$/, "/"));
  }

  /**
   * Where the browser goes to sign in, and what has to come back.
   * @throws MusterError `access.provider-unreachable`
   */
  async begin(): Promise<{ url: URL; checks: Checks }> {
    const config = await this.#configuration();
    const checks = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
    };
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: this.redirectUri.href,
      scope: this.#settings.scopes.join(" "),
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: "S256",
    });
    return { url, checks };
  }

  /**
   * Claims of the ID token, whose signature, issuer, audience, time and nonce were checked, with those of the userinfo
   * endpoint where there is one.
   * @param query of the address that the provider sent the browser back to
   * @throws MusterError `access.sign-in-failed`, `access.provider-unreachable`
   */
  async finish(query: string, checks: Checks): Promise<Claims & { sub: string; iss: string }> {
    const config = await this.#configuration();
    const back = this.redirectUri;
    back.search = query;
    try {
      const tokens = await oidc.authorizationCodeGrant(config, back, {
        expectedState: checks.state,
        expectedNonce: checks.nonce,
        pkceCodeVerifier: checks.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new MusterError("access.sign-in-failed", "The provider sent no ID token.");
      const more = config.serverMetadata().userinfo_endpoint
        ? await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
        : {};
      return { ...more, ...claims };
    } catch (error) {
      throw asSignInError(error);
    }
  }

  async #configuration(): Promise<oidc.Configuration> {
    this.#known ??= this.#discover();
    try {
      return await this.#known;
    } catch (cause) {
      this.#known = undefined;
      throw new MusterError(
        "access.provider-unreachable",
        `${this.#settings.issuer.host} does not answer as an identity provider.`,
        { cause },
      );
    }
  }

  async #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    // The settings allow plain HTTP on loopback alone.
    const insecure = issuer.protocol === "http:" ? [oidc.allowInsecureRequests] : [];
    const config = await oidc.discovery(
      issuer,
      clientId,
      undefined,
      clientSecret === undefined ? oidc.None() : oidc.ClientSecretBasic(clientSecret),
      // An ID token that came over TLS need not be checked by its signature: here it is all the same.
      { execute: [...insecure, oidc.enableNonRepudiationChecks], timeout: TIMEOUT_S },
    );
    return config;
  }
}

function asSignInError(error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  const { code, message, cause } = error as Error & { code?: string };
  if (code === "OAUTH_TIMEOUT" || cause instanceof TypeError || message === "fetch failed")
    return new MusterError("access.provider-unreachable", "The identity provider does not answer.", {
      cause: error,
    });
  return new MusterError("access.sign-in-failed", `The sign-in failed: ${message}.`, { cause: error });
}
