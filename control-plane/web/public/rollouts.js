// @ts-check
/** Rollouts: waves, gate values beside their thresholds, and what happened. */
import { draw, h, prose, stackedBar } from "./dom.js";
import {
  ago,
  clock,
  countsText,
  figure,
  HELD_BY,
  measured,
  releaseName,
  rolloutState,
  SITUATIONS,
} from "./words.js";

/** Events that the reader closed stay closed, by rollout. @type {Set<string>} */
const closed = new Set();

/** @param {{ kind: string, sign: string, word: string }} state */
const pill = (state) =>
  h(`span.state.pill.${state.kind}`, null, h("span", { "aria-hidden": "true" }, state.sign), state.word);

/** @param {any} wave */
function waveRow({ number, state, counts }) {
  const parts = SITUATIONS.map(({ key, kind }) => ({ kind, value: counts[key] ?? 0 }));
  const text = countsText(counts);
  return h(
    `li.wave.${state}`,
    null,
    h("span.number", null, `Wave ${number}`, h("span.soft", null, ` ${state}`)),
    stackedBar(parts, `Wave ${number}: ${text}`),
    h("span", null, text),
  );
}

/** How a verdict on one condition is shown. @type {Record<string, { kind: string, sign: string, word: string }>} */
const VERDICTS = {
  met: { kind: "good", sign: "✓", word: "holds" },
  inconclusive: { kind: "warn", sign: "…", word: "not yet" },
  violated: { kind: "bad", sign: "✕", word: "violated" },
  "passed-over": { kind: "none", sign: "–", word: "not judged" },
};

/** @type {Record<string, string>} */
const CONDITIONS = {
  success: "Success",
  error: "Failures",
  sample: "Evidence",
  attestation: "Attestation",
  soak: "Soak",
  "crash-free-hours": "Crash-free hours",
  "error-rate": "Inference errors",
  "fallback-rate": "Fallbacks",
  "latency-p95": "Latency p95",
  drift: "Drift",
  "shadow-agreement": "Shadow agreement",
};

/** Conditions of which more is better: their threshold is a least. */
const AT_LEAST = new Set([
  "success",
  "sample",
  "attestation",
  "soak",
  "crash-free-hours",
  "shadow-agreement",
]);

/** @param {any} condition */
function conditionBox({ kind, verdict, value, threshold, control, comparison, unit, sentence }) {
  const state = VERDICTS[verdict] ?? VERDICTS.inconclusive;
  const bound =
    threshold === null ? "" : `${AT_LEAST.has(kind) ? "at least" : "at most"} ${measured(threshold, unit)}`;
  const others = control === null ? null : `others: ${measured(control, unit)}`;
  const stake =
    comparison === null ? null : `stake ${figure(comparison.stake)} of ${figure(comparison.limit)}`;
  return h(
    "div.gate",
    { title: sentence },
    h("div.soft", null, CONDITIONS[kind] ?? kind),
    h("div", null, h("span.value", null, measured(value, unit)), " ", h("span.soft", null, bound)),
    others || stake ? h("div.soft.small", null, [others, stake].filter(Boolean).join(", ")) : null,
    h(`div.state.${state?.kind}`, null, h("span.sign", { "aria-hidden": "true" }, state?.sign), state?.word),
  );
}

/** @param {any} gate */
const gates = ({ conditions, clusters, verdict, reason }) =>
  h(
    "div",
    null,
    h("div.gates", null, ...conditions.map(conditionBox)),
    h("p.soft.small.reason", null, `Gate ${verdict}: ${reason}`),
    ...clusters.map((/** @type {any} */ { sentence }) => h("p.failure.small.reason", null, sentence)),
  );

/** @param {Record<string, number>} held */
function heldLine(held) {
  const parts = Object.entries(held).filter(([, devices]) => devices > 0);
  if (parts.length === 0) return null;
  const text = parts.map(([reason, devices]) => `${devices} by ${HELD_BY[reason] ?? reason}`).join(", ");
  return h("p.soft.small.reason", null, `Not told just now: ${text}.`);
}

/** @param {any} rollout @param {any[]} events */
function eventList(rollout, events) {
  const newest = events.slice(-50).reverse();
  return h(
    "details.events",
    {
      open: !closed.has(rollout.id),
      ontoggle: (/** @type {any} */ event) => {
        if (event.target.open) closed.delete(rollout.id);
        else closed.add(rollout.id);
      },
    },
    h("summary", { id: `events-${rollout.id}` }, "What happened"),
    h(
      "ol",
      { id: `list-${rollout.id}`, "data-scroll": true, tabindex: "0", "aria-label": "Events, newest first" },
      ...newest.map(({ at, sentence }) =>
        h(
          "li",
          null,
          h("time", { datetime: new Date(at).toISOString() }, clock(at)),
          h("span", null, sentence),
        ),
      ),
    ),
  );
}

/** @param {{ rollout: any, events: any[] }} detail @param {number} now */
function card({ rollout, events }, now) {
  const { release, state, selector, reason, startedAt, endedAt, waveList, held, gate, failures } = rollout;
  const times = startedAt === null ? "not started" : `started ${ago(startedAt, now)}`;
  return h(
    "article.card",
    { "aria-labelledby": `rollout-${rollout.id}` },
    h(
      "div.head",
      null,
      h("h3", { id: `rollout-${rollout.id}` }, releaseName(release)),
      pill(rolloutState(state)),
      h("span.soft.small", null, `to ${selector || "all devices"}`),
      h("span.soft.small.times", null, `${times}${endedAt === null ? "" : `, ended ${ago(endedAt, now)}`}`),
    ),
    reason && reason !== gate?.reason ? h("p.reason", null, reason) : null,
    h("ol.waves", null, ...waveList.map(waveRow)),
    heldLine(held),
    gate ? gates(gate) : null,
    ...failures.map((/** @type {any} */ { code, devices, example }) =>
      h("p.failure.small.reason", null, `${devices} × ${code}: ${example}`),
    ),
    eventList(rollout, events),
  );
}

/** @param {any} rollout @param {number} now */
const pastRow = (rollout, now) =>
  h(
    "tr",
    null,
    h("td", null, releaseName(rollout.release)),
    h("td", null, pill(rolloutState(rollout.state))),
    h("td", null, countsText(rollout.counts)),
    h("td.soft", null, ago(rollout.endedAt ?? rollout.createdAt, now)),
  );

/**
 * @param {{ rollout: any, events: any[] }[]} current shown in full
 * @param {any[]} past shown in a line each
 * @param {number} now
 */
export function drawRollouts(current, past, now) {
  const times = [...current.map(({ rollout }) => rollout), ...past].map(({ startedAt, endedAt, createdAt }) =>
    [startedAt, endedAt, createdAt].map((at) => ago(at, now)),
  );
  draw("rollouts", [current, past, times], () => {
    if (current.length + past.length === 0)
      return [
        h(
          "p.soft",
          null,
          prose("None yet. `muster rollout create` plans one; --dry-run shows whom it would reach."),
        ),
      ];
    const head = h(
      "tr",
      null,
      ...["Release", "State", "Devices", "When"].map((title) => h("th", { scope: "col" }, title)),
    );
    return [
      ...current.map((detail) => card(detail, now)),
      past.length > 0
        ? h(
            "div.table",
            null,
            h(
              "table",
              null,
              h("thead", null, head),
              h("tbody", null, ...past.map((rollout) => pastRow(rollout, now))),
            ),
          )
        : h("span", null),
    ];
  });
}
