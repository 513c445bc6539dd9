// @ts-check
/** Exceptions and figures at the top of the page. */
import { attentionOf } from "./attention.js";
import { draw, h, prose, stackedBar } from "./dom.js";
import { measured, plural, releaseName } from "./words.js";

/** @param {any} facts */
export function drawAttention(facts) {
  const items = attentionOf(facts);
  draw("attention", items, () =>
    items.length === 0
      ? [h("p.calm", null, "Nothing. Every device is there and does what it was told.")]
      : [
          h(
            "ul.alerts",
            null,
            ...items.map(({ kind, sentence, detail }) =>
              h(
                `li.alert.${kind}`,
                null,
                h("span.mark", { "aria-hidden": "true" }, kind === "bad" ? "✕" : "!"),
                h("span.sentence", null, sentence),
                h("span.soft.small", null, prose(detail)),
              ),
            ),
          ),
        ],
  );
}

/** @param {string} title @param {string | number} figure @param {...Node} rest */
const tile = (title, figure, ...rest) =>
  h("div.tile", null, h("h3", null, title), h("p.figure", null, figure), ...rest);

/** @param {[name: string, value: string][]} rows */
const figures = (rows) =>
  h(
    "ul.counts",
    null,
    ...rows.map(([name, value]) =>
      h("li", null, h("span.name", { title: name }, name), h("span.count", { title: value }, value)),
    ),
  );

/** @param {[name: string, count: number][]} rows */
const counts = (rows) => figures(rows.map(([name, count]) => [name, count.toLocaleString("en")]));

/** @param {number | null} value */
const percent = (value) => measured(value, "percent");

/** @param {any} health */
const healthTile = ({ score, scores, day, worstSites }) =>
  tile(
    "Health",
    score === null ? "–" : `${score} of 100`,
    stackedBar(
      [
        { kind: "good", value: scores.good },
        { kind: "warn", value: scores.fair + scores.poor },
        { kind: "bad", value: scores.bad },
      ],
      `${scores.good} good, ${scores.fair} fair, ${scores.poor} poor, ${scores.bad} bad`,
    ),
    figures([
      ["crash-free hours", percent(day.crashFreeServingPercent)],
      ["sync success", percent(day.syncSuccessPercent)],
      ["inference errors", percent(day.errorPercent)],
      ["worst site", worstSites[0]?.site ?? "–"],
    ]),
  );

/** @param {any} fleet @param {any} health */
export function drawSummary(fleet, health) {
  const { score, scores, day, worstSites } = health;
  draw("summary", [fleet, score, scores, day, worstSites[0]?.site], () => {
    const { online, late, offline, flapping } = fleet.liveness;
    const share = stackedBar(
      [
        { kind: "good", value: online },
        { kind: "warn", value: late + flapping },
        { kind: "bad", value: offline },
      ],
      `${online} online, ${late} late, ${flapping} flapping, ${offline} offline`,
    );
    const updating = Object.entries(fleet.updating);
    const busy = updating.reduce((sum, [, count]) => sum + Number(count), 0);
    const running = fleet.releases.map((/** @type {any} */ { release, devices }) => [
      releaseName(release),
      devices,
    ]);
    return [
      tile(
        "Online",
        `${online.toLocaleString("en")} of ${fleet.active.toLocaleString("en")}`,
        share,
        counts([
          ["late", late],
          ["flapping", flapping],
          ["offline", offline],
        ]),
      ),
      healthTile(health),
      tile(
        "Releases running",
        fleet.releases.filter((/** @type {any} */ each) => each.release).length,
        counts(running),
      ),
      tile(
        "Updating now",
        busy,
        updating.length > 0
          ? counts(/** @type {any} */ (updating))
          : h("p.soft.small", null, "No device is changing."),
      ),
      tile(
        "Results stored",
        fleet.storedResults.toLocaleString("en"),
        h("p.soft.small", null, `from ${plural(fleet.devices, "device")}, ${fleet.revoked} of them revoked`),
      ),
    ];
  });
}
