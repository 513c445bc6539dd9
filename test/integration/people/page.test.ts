import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser, noBrowser } from "../../support/browser.ts";
import { type OidcWorld, openOidcWorld } from "../../support/oidc/world.ts";

const LOOPBACK = ["127.0.0.1", "localhost"];

describe("signing in on the page", {
  skip: noBrowser,
}, () => {
  let world: OidcWorld;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    world = await openOidcWorld({ anna: ["fleet-admins"], zoe: [] });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });

  async function fresh(): Promise<void> {
    await context?.close();
    context = await browser.newContext();
    // The forms of the provider ask for a font elsewhere.
    await context.route(
      ({ hostname }) => !LOOPBACK.includes(hostname),
      (route) => route.abort(),
    );
    page = await context.newPage();
    complaints.length = 0;
    page.on("console", (message) => {
      // The forms of the provider are not ours.
      const own = message.location().url.startsWith(world.plane.url);
      if (message.type() === "error" && own) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  }

  /** Fills in the provider's own forms. */
  async function signIn(person: string): Promise<void> {
    await page.goto(world.plane.url);
    await page.click("#sign-in-link");
    await page.fill("input[name=login]", person);
    await page.fill("input[name=password]", "x");
    await page.click("button[type=submit]");
    await page.waitForSelector("input[name=prompt][value=consent]", { state: "attached" });
    await page.click("button[type=submit]");
  }

  it("offers the provider beside the token, and shows the fleet after it", async () => {
    await fresh();
    await page.goto(world.plane.url);
    await page.waitForSelector("#sign-in-link:visible");
    assert.equal(await page.textContent("#sign-in-link"), "Sign in with Test Provider");
    assert.ok(await page.isVisible("#token"));
    assert.deepEqual(complaints, []);
    await signIn("anna");
    await page.waitForSelector("#fleet:visible");
    assert.equal(new URL(page.url()).pathname, "/");
    assert.match((await page.textContent("#connection")) ?? "", /Live/);
    assert.deepEqual(complaints, []);
  });

  it("keeps the session in a cookie that no script can read, and over a reload", async () => {
    const [cookie, ...others] = await context.cookies(world.plane.url);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [cookie?.name, cookie?.httpOnly, cookie?.secure, cookie?.sameSite, cookie?.path],
      ["__Host-muster", true, true, "Strict", "/"],
    );
    assert.equal(await page.evaluate("document.cookie"), "");
    assert.equal(await page.evaluate("sessionStorage.length"), 0);
    await page.reload();
    await page.waitForSelector("#fleet:visible");
  });

  it("lets no other site change anything with it", async () => {
    const stranger = await context.newPage();
    // It sends neither the cookie, which is SameSite=Strict, nor the CSRF token, which it cannot read.
    await stranger.goto(`${world.provider.issuer}/.well-known/openid-configuration`);
    const sent = await stranger.evaluate(
      `fetch("${world.plane.url}/api/v1/sign-out", { method: "POST", credentials: "include", mode: "no-cors" }).then(() => "sent", () => "kept back")`,
    );
    assert.ok(sent === "sent" || sent === "kept back");
    await stranger.close();
    await page.reload();
    await page.waitForSelector("#fleet:visible");
  });

  it("signs out for good", async () => {
    await page.click("#sign-out");
    await page.waitForSelector("#sign-in:visible");
    await page.waitForFunction(
      "fetch('/api/v1/sign-in/state').then((r) => r.json()).then((s) => !s.signedIn)",
    );
    await page.reload();
    await page.waitForSelector("#sign-in-link:visible");
    assert.ok(await page.isHidden("#fleet"));
    assert.deepEqual(await context.cookies(world.plane.url), []);
  });

  it("says why somebody is not let in", async () => {
    await fresh();
    await signIn("zoe");
    await page.waitForSelector("#sign-in-failure:not(:empty)");
    assert.match((await page.textContent("#sign-in-failure")) ?? "", /no rule here gives you a role/);
    assert.equal(new URL(page.url()).hash, "");
    assert.deepEqual(complaints, []);
  });
});
