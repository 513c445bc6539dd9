// @ts-check
/** Exceptions and figures at the top of the page. */
import { attentionOf } from "./attention.js";
import { draw, h, prose, stackedBar } from "./dom.js";
import { plural, releaseName } from "./words.js";

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

/** @param {[name: string, count: number][]} rows */
const counts = (rows) =>
  h(
    "ul.counts",
    null,
    ...rows.map(([name, count]) =>
      h("li", null, h("span.name", { title: name }, name), h("span.count", null, count.toLocaleString("en"))),
    ),
  );

/** @param {any} fleet */
export function drawSummary(fleet) {
  draw("summary", fleet, () => {
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
