// @ts-check
/** The fleet page: signs in, asks the API every two seconds, and draws what changed. */
import {
  ApiError,
  allDevices,
  askSignIn,
  endSession,
  forgetToken,
  get,
  isSignedIn,
  keepToken,
  takeFailureFromAddress,
  takeTokenFromAddress,
} from "./api.js";
import { drawDevices, drawLegend, drawSites } from "./devices.js";
import { byId } from "./dom.js";
import { drawAttention, drawSummary } from "./overview.js";
import { drawRollouts } from "./rollouts.js";

const INTERVAL_MS = 2000;
/** A large fleet is asked for its devices less often than for its figures. */
const LARGE_FLEET = 1000;
const LARGE_INTERVAL_MS = 10_000;
/** Rollouts shown in full: those under way, and the newest one. */
const MOST_CURRENT = 4;
const MOST_PAST = 8;
const UNDER_WAY = ["draft", "awaiting-approval", "scheduled", "running", "paused", "aborting", "reverting"];

const state = {
  /** @type {any[]} */ devices: [],
  complete: true,
  devicesAt: 0,
  now: 0,
  answeredAt: 0,
};
const filter = /** @type {HTMLInputElement} */ (byId("filter"));
const input = /** @type {HTMLInputElement} */ (byId("token"));

/** Events so far by rollout: only what is new is asked for. @type {Map<string, any[]>} */
const eventsOf = new Map();

/** @param {any} rollout */
async function detailOf({ id }) {
  const known = eventsOf.get(id) ?? [];
  const [rollout, { events }] = await Promise.all([
    get(`/rollouts/${encodeURIComponent(id)}`),
    get(`/rollouts/${encodeURIComponent(id)}/events?after=${known.at(-1)?.seq ?? 0}`),
  ]);
  eventsOf.set(id, [...known, ...events]);
  return { rollout, events: [...known, ...events] };
}

async function refresh() {
  const [status, fleet, health, { alerts }, { rollouts }] = await Promise.all([
    get("/status"),
    get("/fleet"),
    get("/health"),
    get("/alerts?state=firing&muted=false&limit=20"),
    get("/rollouts?limit=20"),
  ]);
  const pause = fleet.devices > LARGE_FLEET ? LARGE_INTERVAL_MS : 0;
  if (status.now - state.devicesAt >= pause) {
    Object.assign(state, await allDevices(), { devicesAt: status.now });
  }
  const current = rollouts
    .filter(
      (/** @type {any} */ rollout, /** @type {number} */ index) =>
        index === 0 || UNDER_WAY.includes(rollout.state),
    )
    .slice(0, MOST_CURRENT);
  const details = await Promise.all(current.map(detailOf));
  const past = rollouts
    .filter((/** @type {any} */ rollout) => !current.includes(rollout))
    .slice(0, MOST_PAST);
  state.now = status.now;
  drawAttention({ status, devices: state.devices, rollouts, alerts });
  drawSummary(fleet, health);
  drawRollouts(details, past, status.now);
  drawSites(state.devices);
  drawDevices(state.devices, state.complete, filter.value, status.now);
}

/** @param {boolean} lost @param {string} text */
function tell(lost, text) {
  const line = byId("connection");
  line.classList.toggle("lost", lost);
  if (line.textContent !== text) line.textContent = text;
}

/** @param {string} failure */
function askForToken(failure) {
  forgetToken();
  // Whoever signs in next may see less.
  eventsOf.clear();
  Object.assign(state, { devices: [], devicesAt: 0, answeredAt: 0 });
  byId("fleet").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-failure").textContent = failure;
  tell(false, "");
  input.focus();
}

async function turn() {
  if (!isSignedIn() || document.hidden) return;
  try {
    await refresh();
    state.answeredAt = Date.now();
    byId("sign-in").hidden = true;
    byId("fleet").hidden = false;
    byId("sign-out").hidden = false;
    tell(false, "Live");
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 429))
      return askForToken(error.message);
    const since =
      state.answeredAt === 0
        ? ""
        : ` Shown is what was known at ${new Date(state.answeredAt).toTimeString().slice(0, 8)}.`;
    tell(true, `${error instanceof Error ? error.message : "Something failed."}${since}`);
  }
}

/** @type {Record<string, string>} */
const FAILURES = {
  "access.unmapped": "The identity provider knows you, but no rule here gives you a role. Ask an admin.",
  "access.denied": "You were shut out here. Ask an admin.",
  "access.provider-unreachable": "The identity provider does not answer. Try again, or use a token.",
};

/** Takes the session of this browser where there is one, and says where else to sign in. */
async function begin() {
  const failure = takeFailureFromAddress();
  try {
    const { provider } = await askSignIn();
    byId("sign-in-provider").hidden = provider === null;
    byId("sign-in-link").textContent = `Sign in with ${provider ?? ""}`;
  } catch (error) {
    tell(true, error instanceof Error ? error.message : "Something failed.");
  }
  if (!isSignedIn())
    askForToken(failure === null ? "" : (FAILURES[failure] ?? "The sign-in failed. Begin it anew."));
  await loop();
}

async function loop() {
  await turn();
  setTimeout(loop, INTERVAL_MS);
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(input.value.trim());
  input.value = "";
  void turn();
});
byId("sign-out").addEventListener("click", () => {
  endSession()
    .catch(() => {})
    .finally(() => askForToken(""));
});
byId("device-close").addEventListener("click", () =>
  /** @type {HTMLDialogElement} */ (byId("device")).close(),
);
filter.addEventListener("input", () => drawDevices(state.devices, state.complete, filter.value, state.now));
document.addEventListener("visibilitychange", () => void turn());

takeTokenFromAddress();
addEventListener("hashchange", () => {
  takeTokenFromAddress();
  void turn();
});
drawLegend();
void begin();
