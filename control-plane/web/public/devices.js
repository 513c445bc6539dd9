// @ts-check
/** Devices as cells by site and as a table; a click tells everything about one. */
import { get } from "./api.js";
import { byId, draw, h, prose } from "./dom.js";
import { ago, clock, plural, releaseName, STATES, stateOf } from "./words.js";

/** Sites with more devices than this show signs only; the word is in the label and the tooltip. */
const DENSE = 60;
/** Rows of the table; the filter finds the others. */
const ROWS = 200;

/** @param {any} device @param {boolean} dense */
function cell(device, dense) {
  const state = stateOf(device);
  const runs = state.kind === "good" ? "" : `, runs ${releaseName(device.running)}`;
  const full = `${device.name}: ${state.word}${runs}`;
  return h(
    `button.cell.${state.kind}`,
    {
      id: `cell-${device.id}`,
      type: "button",
      title: full,
      "aria-label": full,
      onclick: () => void showDevice(device.id),
    },
    ...(dense
      ? [state.sign]
      : [
          h("span.name", null, device.name),
          h(
            "span.what",
            null,
            `${state.sign} ${state.kind === "good" ? releaseName(device.running) : state.word}`,
          ),
        ]),
  );
}

export function drawLegend() {
  byId("legend").replaceChildren(
    ...STATES.map(({ kind, sign, word }) =>
      h(`li.state.${kind}`, null, h("span.sign", { "aria-hidden": "true" }, sign), word),
    ),
  );
}

/** @param {any[]} devices */
export function drawSites(devices) {
  /** @type {Map<string, any[]>} */
  const sites = new Map();
  for (const device of devices) sites.set(device.site, [...(sites.get(device.site) ?? []), device]);
  const data = devices.map(({ id, name, site, running, ...rest }) => [
    id,
    name,
    site,
    running?.digest,
    stateOf({ running, ...rest }),
  ]);
  draw("sites", data, () =>
    sites.size === 0
      ? [
          h(
            "p.soft",
            null,
            prose(
              "No device has enrolled yet. `muster token create --site eu/berlin` says what to run on a box.",
            ),
          ),
        ]
      : [...sites].map(([site, members]) => {
          const good = members.filter((device) => ["good", "busy"].includes(stateOf(device).kind)).length;
          const dense = members.length > DENSE;
          return h(
            "article.card",
            { "aria-label": `Site ${site}` },
            h(
              "div.head",
              null,
              h("h3", null, site),
              h("span.soft.small.times", null, `${good} of ${plural(members.length, "device")} well`),
            ),
            h(dense ? "div.cells.dense" : "div.cells", null, ...members.map((device) => cell(device, dense))),
          );
        }),
  );
}

/** @param {any} device @param {number} now */
const row = (device, now) => {
  const state = stateOf(device);
  return h(
    "tr",
    null,
    h(
      "td",
      null,
      h(
        "button.link",
        { type: "button", id: `row-${device.id}`, onclick: () => void showDevice(device.id) },
        device.name,
      ),
    ),
    h("td", null, device.site),
    h(
      "td",
      null,
      h(
        `span.state.${state.kind}`,
        null,
        h("span.sign", { "aria-hidden": "true" }, state.sign),
        state.kind === "good" ? device.liveness : state.word,
      ),
    ),
    h("td", null, releaseName(device.running)),
    h("td.soft", null, device.hardwareClass),
    h("td.soft", null, ago(device.lastSeenAt, now)),
  );
};

/** @param {any[]} devices @param {boolean} complete @param {string} filter @param {number} now */
export function drawDevices(devices, complete, filter, now) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = devices.filter((device) => {
    const text = `${device.name} ${device.id} ${device.site} ${releaseName(device.running)} ${stateOf(device).word}`;
    return words.every((word) => text.toLowerCase().includes(word));
  });
  const shown = found.slice(0, ROWS);
  const data = shown.map((device) => [
    device.id,
    device.name,
    device.running?.digest,
    stateOf(device),
    ago(device.lastSeenAt, now),
  ]);
  draw("devices", [data, found.length, complete], () => [
    h(
      "table",
      null,
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          ...["Name", "Site", "State", "Runs", "Hardware", "Seen"].map((title) =>
            h("th", { scope: "col" }, title),
          ),
        ),
      ),
      h("tbody", null, ...shown.map((device) => row(device, now))),
    ),
    h(
      "p.soft.small.under",
      { role: "status" },
      found.length === shown.length
        ? plural(found.length, "device")
        : `${ROWS} of ${plural(found.length, "device")}; the filter finds the others`,
      complete ? "" : ". The fleet is larger than this page shows; `muster device list` has them all.",
    ),
  ]);
}

/** @param {any} entry */
function timelineRow(entry) {
  const text =
    entry.kind === "update"
      ? `Update to ${releaseName(entry.release)}: ${entry.outcome ?? entry.phase}${entry.failure ? `. ${entry.failure.message}` : ""}`
      : entry.message;
  return h(
    "li",
    null,
    h("time", { datetime: new Date(entry.at).toISOString() }, clock(entry.at)),
    h("span", null, text),
  );
}

/** @param {string} id */
async function showDevice(id) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("device"));
  const [device, { entries }] = await Promise.all([
    get(`/devices/${encodeURIComponent(id)}`),
    get(`/devices/${encodeURIComponent(id)}/timeline?limit=50`),
  ]);
  const now = Date.now();
  const labels = Object.entries(device.labels).map(([key, value]) => `${key}=${value}`);
  /** @type {[string, string][]} */
  const facts = [
    ["State", `${stateOf(device).word}, seen ${ago(device.lastSeenAt, now)}`],
    ["Site", device.site],
    ["Labels", labels.join(" ") || "none"],
    ["Runs", releaseName(device.running)],
    [
      "Told",
      device.directive
        ? `${releaseName(device.directive.release)} (generation ${device.directive.generation})`
        : "nothing yet",
    ],
    ...(device.reported?.components ?? []).map((/** @type {any} */ component) => [
      component.type === "model" ? "Model" : "Config",
      `${component.name} ${component.version}${component.variant ? `, ${component.variant} on ${component.provider}` : ""}`,
    ]),
    ["Runner", device.reported?.runner ?? "unknown"],
    [
      "Hardware",
      `${device.hardware.cpuModel}, ${device.hardware.cores} cores, ${device.hardware.memoryMiB} MiB`,
    ],
    ["Agent", device.agentVersion ?? "unknown"],
    ["Results", `${device.storedResults.toLocaleString("en")} stored`],
    ["Identity", `${device.identity.assurance}. ${device.identity.reason ?? ""}`],
    ["Verdict", `${device.trust.verdict}. ${device.verdictSentence ?? ""}`],
    ...(device.quarantined ? [["Quarantine", device.quarantined.reason]] : []),
    ...(device.identity.replaces ? [["Replaces", device.identity.replaces]] : []),
    ...(device.identity.replacedBy ? [["Replaced by", device.identity.replacedBy]] : []),
    ["Id", device.id],
  ];
  byId("device-title").textContent = device.name;
  byId("device-body").replaceChildren(
    h("dl.facts", null, ...facts.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    h("h3", null, "Timeline"),
    entries.length === 0
      ? h("p.soft.small", null, "Nothing happened to this device yet.")
      : h("div.events", null, h("ol", null, ...entries.map(timelineRow))),
  );
  dialog.showModal();
}
