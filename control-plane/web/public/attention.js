// @ts-check
/** What needs a person, worst first. Pure: facts in, sentences out. */
import { ago, hasFailed, plural, releaseName } from "./words.js";

const DAY = 86_400_000;
const NAMED = 4;

/** @param {any[]} devices */
function names(devices) {
  const shown = devices.slice(0, NAMED).map(({ name, site }) => `${site}/${name}`);
  const more = devices.length > NAMED ? ` and ${devices.length - NAMED} more` : "";
  return shown.join(", ") + more;
}

/** What the page says of itself at once, and an alert after its time: never both. @type {Record<string, string>} */
const ALERTED_BY = { offline: "offline", flapping: "flapping", failed: "updateFailed" };

/**
 * @param {{ status: any, devices: any[], rollouts: any[], alerts: any[] }} facts
 * @returns {{ kind: "bad" | "warn", sentence: string, detail: string }[]}
 */
export function attentionOf({ status, devices, rollouts, alerts }) {
  const now = status.now;
  const alerted = new Set(alerts.map(({ signal }) => signal));
  const active = devices.filter((device) => device.status === "active");
  const failed = active.filter((device) => device.liveness !== "offline" && hasFailed(device));
  const being = (/** @type {string} */ state) => active.filter(({ liveness }) => liveness === state);
  const [offline, late, flapping] = [being("offline"), being("late"), being("flapping")];
  /** @type {{ kind: "bad" | "warn", sentence: string, detail: string }[]} */
  const items = [];

  if (!status.trust.initialized)
    items.push({
      kind: "bad",
      sentence: "There is no trust root yet, so no release can be signed and no device can enroll.",
      detail: "Run `muster keys init` and `muster trust init`.",
    });
  for (const { severity, signal, summary, remedy } of alerts)
    if (!signal.startsWith("rollout"))
      items.push({ kind: severity === "critical" ? "bad" : "warn", sentence: summary, detail: remedy });
  for (const rollout of rollouts) {
    const { state, reason, endedAt } = rollout;
    const name = releaseName(rollout.release);
    const recent = endedAt !== null && now - endedAt < DAY;
    const detail = reason ?? "An operator did this.";
    if (state === "awaiting-approval")
      items.push({
        kind: "warn",
        sentence: `The rollout of ${name} waits for an approval.`,
        detail: `Another operator than its author: \`muster rollout approve ${rollout.id}\`.`,
      });
    if (state === "paused")
      items.push({ kind: "warn", sentence: `The rollout of ${name} is paused.`, detail });
    if (state === "reverting" || state === "aborting")
      items.push({ kind: "bad", sentence: `The rollout of ${name} is ${state}.`, detail });
    if (state === "reverted" && recent)
      items.push({
        kind: "bad",
        sentence: `The rollout of ${name} was reverted ${ago(endedAt, now)}.`,
        detail,
      });
  }
  if (failed.length > 0 && !alerted.has(ALERTED_BY.failed))
    items.push({
      kind: "bad",
      sentence: `The last update failed on ${plural(failed.length, "device")}: ${names(failed)}.`,
      detail: failed[0].lastResult.failure?.message ?? "The device gave no reason.",
    });
  if (offline.length > 0 && !alerted.has(ALERTED_BY.offline))
    items.push({
      kind: "bad",
      sentence: `${plural(offline.length, "device is", "devices are")} offline: ${names(offline)}.`,
      detail: `Last seen ${ago(Math.max(...offline.map(({ lastSeenAt }) => lastSeenAt ?? 0)) || null, now)}. Offline devices go on inferring and keep their results.`,
    });
  if (flapping.length > 0 && !alerted.has(ALERTED_BY.flapping))
    items.push({
      kind: "warn",
      sentence: `${plural(flapping.length, "device connects", "devices connect")} again and again: ${names(flapping)}.`,
      detail: "Look at the uplink of the site.",
    });
  if (late.length > 0)
    items.push({
      kind: "warn",
      sentence: `${plural(late.length, "device is", "devices are")} late: ${names(late)}.`,
      detail: "Heartbeats are overdue.",
    });
  const ends = status.trust.targetsExpiresAt;
  if (ends !== null && ends - now < 30 * DAY)
    items.push({
      kind: ends < now ? "bad" : "warn",
      sentence:
        ends < now ? "The signed release metadata has expired." : "The signed release metadata ends soon.",
      detail: "Sign it anew: `muster release create` does so with the next release.",
    });
  return items.sort((a, b) => Number(b.kind === "bad") - Number(a.kind === "bad"));
}
