/** `__Host-`: set by this host alone, over TLS or loopback, for every path (RFC 6265bis section 4.1.3.2). */
const SESSION = "__Host-muster";
/** Holds a sign-in that is under way. */
const SIGN_IN = "__Host-muster-sign-in";

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (pair.slice(0, Math.max(0, equals)).trim() === name) return pair.slice(equals + 1).trim() || undefined;
  }
  return undefined;
}

export const sessionCookieOf = (header: string | undefined): string | undefined => cookieOf(header, SESSION);
export const signInCookieOf = (header: string | undefined): string | undefined => cookieOf(header, SIGN_IN);

const cookie = (name: string, value: string, seconds: number, sameSite: "Strict" | "Lax"): string =>
  `${name}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=${sameSite}`;

/** No script can read it and no other site can make a browser send it. */
export const sessionCookie = (value: string, seconds: number): string =>
  cookie(SESSION, value, seconds, "Strict");

/** The provider sends the browser back from another site: `Lax` lets it come along then. */
export const signInCookie = (value: string, seconds: number): string =>
  cookie(SIGN_IN, value, seconds, "Lax");
