// @ts-check
/** How states, times and figures are said. Pure: no DOM, no network. */

/** @param {{ name: string, version: string } | null | undefined} release */
export const releaseName = (release) => (release ? `${release.name} ${release.version}` : "nothing");

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** @param {number | null | undefined} moment @param {number} now both in milliseconds */
export function ago(moment, now) {
  if (moment === null || moment === undefined) return "never";
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds / 10) * 10} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Three digits are enough to compare by eye. @param {number} value */
export const figure = (value) =>
  Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 });

/** @type {Record<string, string>} */
const UNITS = { percent: " %", ms: " ms", seconds: " s", psi: "", inferences: "" };

/** A measure with its unit. @param {number | null} value @param {string} unit */
export const measured = (value, unit) =>
  value === null ? "–" : `${figure(value)}${UNITS[unit] ?? ` ${unit}`}`;

/** What keeps a device from being told just now. @type {Record<string, string>} */
export const HELD_BY = {
  withheld: "what attestation found",
  offline: "being offline",
  retry: "the wait before a retry",
  freeze: "a freeze",
  window: "the maintenance window",
  "other-rollout": "another rollout",
  "in-flight": "the limit in flight",
  "blast-radius": "the blast radius",
  uplink: "the uplink of the site",
  pace: "the pace",
  tick: "the next tick",
};

/** @param {number} at */
export const clock = (at) => new Date(at).toTimeString().slice(0, 8);

const FAILED = ["failed-unchanged", "failed-rolled-back", "failed-stuck", "rejected"];

/** @param {any} device */
export const hasFailed = (device) =>
  !device.update && FAILED.includes(device.lastResult?.outcome) && device.status === "active";

/** Kinds of state: class for the colour, sign, and word for the legend. */
export const STATES = [
  { kind: "good", sign: "✓", word: "running" },
  { kind: "busy", sign: "↻", word: "updating" },
  { kind: "warn", sign: "!", word: "late or flapping" },
  { kind: "bad", sign: "✕", word: "offline, withheld or update failed" },
  { kind: "none", sign: "–", word: "nothing to run, or revoked" },
];

/**
 * The one state that matters most of a device.
 * @param {any} device
 * @returns {{ kind: string, sign: string, word: string }}
 */
export function stateOf(device) {
  if (device.status === "revoked") return { kind: "none", sign: "–", word: "revoked" };
  if (device.liveness === "offline") return { kind: "bad", sign: "✕", word: "offline" };
  if (device.trust?.withheld) return { kind: "bad", sign: "✕", word: "withheld" };
  if (device.update) return { kind: "busy", sign: "↻", word: device.update.phase };
  if (device.liveness !== "online") return { kind: "warn", sign: "!", word: device.liveness };
  if (hasFailed(device)) return { kind: "bad", sign: "✕", word: device.lastResult.outcome };
  if (!device.running) return { kind: "none", sign: "–", word: "nothing to run" };
  return { kind: "good", sign: "✓", word: `runs ${releaseName(device.running)}` };
}

/** @type {Record<string, { kind: string, sign: string }>} */
const ROLLOUT_STATES = {
  draft: { kind: "none", sign: "–" },
  "awaiting-approval": { kind: "warn", sign: "?" },
  scheduled: { kind: "none", sign: "⏲" },
  running: { kind: "busy", sign: "↻" },
  paused: { kind: "warn", sign: "‖" },
  completed: { kind: "good", sign: "✓" },
  aborting: { kind: "bad", sign: "↺" },
  aborted: { kind: "bad", sign: "✕" },
  reverting: { kind: "bad", sign: "↺" },
  reverted: { kind: "bad", sign: "↺" },
};

/** @param {string} state */
export const rolloutState = (state) => ({
  ...(ROLLOUT_STATES[state] ?? { kind: "none", sign: "?" }),
  word: state.replace("-", " "),
});

/** Devices of a wave by what they are at, worst last; each with its colour. */
export const SITUATIONS = [
  { key: "succeeded", kind: "good", word: "succeeded" },
  { key: "returned", kind: "warn", word: "went back" },
  { key: "returning", kind: "busy", word: "going back" },
  { key: "pending", kind: "busy", word: "at work" },
  { key: "retrying", kind: "busy", word: "to be tried again" },
  { key: "silent", kind: "warn", word: "silent" },
  { key: "failed", kind: "bad", word: "failed" },
  { key: "returnFailed", kind: "bad", word: "not back" },
  { key: "withheld", kind: "bad", word: "withheld" },
  { key: "offline", kind: "none", word: "offline" },
  { key: "held", kind: "idle", word: "late, held" },
  { key: "skipped", kind: "idle", word: "called off" },
  { key: "superseded", kind: "none", word: "superseded" },
  { key: "released", kind: "none", word: "released" },
  { key: "waiting", kind: "idle", word: "waiting" },
];

/** @param {Record<string, number>} counts */
export function countsText(counts) {
  const parts = SITUATIONS.filter(({ key }) => key !== "succeeded" && (counts[key] ?? 0) > 0);
  return [
    `${counts.succeeded} of ${counts.total} succeeded`,
    ...parts.map(({ key, word }) => `${counts[key]} ${word}`),
  ].join(", ");
}
