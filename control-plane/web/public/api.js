// @ts-check
/** Asks the operator API with the token of this tab, or with the session of this browser. */

const STORED = "muster-token";

/** Takes a token out of `#token=…`, so that it stays neither in the address bar nor in the history. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(STORED, token);
  history.replaceState(null, "", location.pathname + location.search);
}

/** Whether the cookie of this browser is a session: scripts cannot read it, the API tells. */
let hasSession = false;

/** True where there is something to ask with. */
export const isSignedIn = () => hasSession || sessionStorage.getItem(STORED) !== null;

/**
 * Asks whether there is an identity provider, and a session of this browser.
 * @returns {Promise<{ provider: string | null, signedIn: boolean }>}
 */
export async function askSignIn() {
  const state = await get("/sign-in/state");
  hasSession = state.signedIn;
  return state;
}

/** Takes a failed sign-in out of `#failure=…`. @returns {string | null} its code */
export function takeFailureFromAddress() {
  const failure = new URLSearchParams(location.hash.slice(1)).get("failure");
  if (failure) history.replaceState(null, "", location.pathname + location.search);
  return failure;
}

/** @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(STORED, token);

/** Forgets the token; the session of the browser has ended, or is ended by `endSession`. */
export function forgetToken() {
  sessionStorage.removeItem(STORED);
  hasSession = false;
}

/** Ends the session of this browser, where there is one. */
export async function endSession() {
  if (!hasSession) return;
  const { csrf } = await get("/session");
  await fetch("/api/v1/sign-out", {
    method: "POST",
    headers: { "x-muster-csrf": csrf ?? "" },
    signal: AbortSignal.timeout(10_000),
  });
}

/** An answer that is a problem, or no answer (`status` 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path below `/api/v1`
 * @returns {Promise<any>}
 */
export async function get(path) {
  const token = sessionStorage.getItem(STORED);
  /** @type {Record<string, string>} */
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { headers, signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new ApiError(0, "The control plane does not answer.");
  }
  if (response.ok) return await response.json();
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, problem.detail ?? `The control plane answered ${response.status}.`);
}

/** Most devices that the page shows; the CLI lists them all. */
const MOST_DEVICES = 5000;

/** @returns {Promise<{ devices: any[], complete: boolean }>} */
export async function allDevices() {
  const devices = [];
  let cursor = "";
  do {
    const page = await get(`/devices?limit=1000${cursor}`);
    devices.push(...page.devices);
    if (page.next === null) return { devices, complete: true };
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
  } while (devices.length < MOST_DEVICES);
  return { devices, complete: false };
}
