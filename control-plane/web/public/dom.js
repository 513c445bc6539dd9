// @ts-check
/** Small helpers around the DOM: everything shown is text nodes, never markup from data. */

/**
 * @param {string} name tag, with classes after dots: `li.soft.small`
 * @param {Record<string, unknown> | null} [attributes] `on…` members are listeners
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(name, attributes, ...children) {
  const [tag = "div", ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on") && typeof value === "function")
      element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children)
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child));
  return element;
}

/**
 * Text with what stands in backticks as code.
 * @param {string} text
 */
export const prose = (text) =>
  h("span", null, ...text.split("`").map((part, index) => (index % 2 === 1 ? h("code", null, part) : part)));

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}

/** What each part was last drawn from: a part is drawn again only when its data changed. */
const drawn = new Map();

/**
 * Draws a part of the page when its data changed, and keeps the keyboard focus and scroll places within it.
 * @param {string} id
 * @param {unknown} data
 * @param {() => Node[]} build
 */
export function draw(id, data, build) {
  const text = JSON.stringify(data);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  const part = byId(id);
  const focused = part.contains(document.activeElement) ? document.activeElement?.id : undefined;
  const scrolled = [...part.querySelectorAll("[data-scroll]")].map((each) => [each.id, each.scrollTop]);
  part.replaceChildren(...build());
  for (const [place, top] of scrolled) {
    const each = document.getElementById(String(place));
    if (each) each.scrollTop = Number(top);
  }
  if (focused) document.getElementById(focused)?.focus();
}

/**
 * A stacked bar of shares.
 * @param {{ kind: string, value: number }[]} parts
 * @param {string} label what it says to those who cannot see it
 */
export function stackedBar(parts, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "progress");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const total = parts.reduce((sum, { value }) => sum + value, 0);
  let x = 0;
  for (const { kind, value } of parts) {
    if (value === 0 || total === 0) continue;
    const rect = document.createElementNS(space, "rect");
    const width = (100 * value) / total;
    rect.setAttribute("class", kind);
    rect.setAttribute("x", String(x));
    rect.setAttribute("width", String(width));
    rect.setAttribute("height", "10");
    svg.append(rect);
    x += width;
  }
  return svg;
}
