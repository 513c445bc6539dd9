import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, noBrowser } from "../../support/browser.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const BOXES = ["eu/berlin:press-1", "eu/berlin:press-2", "us/austin:robot-a"];

describe("fleet page", { skip: noBrowser }, () => {
  let plane: TestControlPlane;
  let scene: Scene;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    plane = await TestControlPlane.start("--set", "willGraceMs=50");
    scene = await setScene(plane, BOXES);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  after(async () => {
    await browser?.close();
    await scene?.close();
    await plane?.close();
  });

  const text = async (selector: string): Promise<string> =>
    (await page.locator(selector).first().textContent()) ?? "";

  it("asks for a token and says when it is wrong", async () => {
    await page.goto(plane.url);
    await page.fill("#token", "muop1.nobody.nothing");
    await page.press("#token", "Enter");
    await page.waitForSelector("#sign-in-failure:not(:empty)");
    assert.match(await text("#sign-in-failure"), /no operator token/);
    assert.ok(await page.isHidden("#fleet"));
    assert.match(complaints.splice(0).join(), /401/, "the browser tells of the refused request itself");
  });

  it("takes the token out of the address and shows every device with its state in words", async () => {
    await page.goto(`${plane.url}/#token=${plane.token}`);
    await page.waitForSelector(".cell");
    assert.equal(new URL(page.url()).hash, "");
    assert.equal(await page.locator(".cell").count(), BOXES.length);
    assert.match(await text("#sites"), /press-1– nothing to run/);
    assert.match(await text("#summary"), /3 of 3/);
    assert.match(await text("#attention"), /Nothing/);
    // Several requests with the wrong token were on their way; the last may be refused after the page has said so.
    for (const complaint of complaints.splice(0)) assert.match(complaint, /401/);
  });

  it("follows a rollout that its gate reverts, with the value beside the threshold", async () => {
    await plane.json("rollout", "create", "--release", "line-config@1.0.0", "--soak", "0s", "--start");
    await plane.json("rollout", "status", "--watch");
    await plane.json("rollout", "create", "--release", "line-config@3.0.0", "--wave", "1", "--start");
    await page.waitForSelector("#rollouts .pill:has-text('reverted')");
    const card = await text("#rollouts .card");
    assert.match(card, /Wave 1 stopped/);
    assert.match(card, /100 % at most 10 %✕violated/);
    assert.match(card, /config\.invalid/);
    assert.match(await text("#attention"), /rollout of line-config 3\.0\.0 was reverted/);
    assert.match(await text("#sites"), /✓ line-config 1\.0\.0/);
  });

  it("puts a device that went offline first, by name", async () => {
    scene.boxes[2]?.cut();
    await page.waitForSelector("#attention:has-text('us/austin/robot-a')");
    assert.match(await text("#attention"), /1 device is offline/);
    assert.match(await text("#sites"), /robot-a✕ offline/);
  });

  it("filters the table and tells everything about one device by keyboard alone", async () => {
    await page.fill("#filter", "press-2");
    await page.waitForFunction("document.querySelectorAll('#devices tbody tr').length === 1");
    await page.focus("#devices tbody button");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#device[open]");
    assert.match(await text("#device-body"), /settings 1\.0\.0/);
    await page.keyboard.press("Escape");
    await page.waitForSelector("#device:not([open])", { state: "attached" });
  });

  it("keeps the focus when it draws anew, fits a phone, and breaks no rule of its content policy", async () => {
    await page.fill("#filter", "");
    const id = await page.locator(".cell").first().getAttribute("id");
    await page.focus(`#${id}`);
    const berlin = ["--selector", "site=eu/berlin", "--soak", "0s", "--start"];
    await plane.json("rollout", "create", "--release", "line-config@2.0.0", ...berlin);
    await page.waitForSelector(".cell:has-text('line-config 2.0.0')");
    assert.equal(await page.evaluate("document.activeElement?.id"), id);
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert.equal(wide, 0);
    assert.deepEqual(complaints, []);
  });

  it("says that the control plane is gone and what was known, and goes on when it is back", async () => {
    const port = new URL(plane.url).port;
    const gone = plane;
    await gone.stop("SIGKILL");
    await page.waitForSelector("#connection.lost");
    assert.match(await text("#connection"), /does not answer.*Shown is what was known/);
    assert.ok(await page.isVisible("#fleet"));
    plane = await gone.restart("SIGKILL", "--operator-port", port);
    await page.waitForSelector("#connection:has-text('Live')");
  });
});
