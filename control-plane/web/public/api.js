// @ts-check
/** Asks the operator API with the token of this tab. */

const STORED = "muster-token";

/** Takes a token out of `#token=…`, so that it stays neither in the address bar nor in the history. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(STORED, token);
  history.replaceState(null, "", location.pathname + location.search);
}

export const hasToken = () => sessionStorage.getItem(STORED) !== null;

/** @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(STORED, token);

export const forgetToken = () => sessionStorage.removeItem(STORED);

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
  const headers = { authorization: `Bearer ${sessionStorage.getItem(STORED) ?? ""}` };
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
