import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import type { Alert } from "@muster/control-plane/alerts/alert";
import { retryDelay } from "@muster/control-plane/alerts/delivery/backoff";
import { mailOf, notificationOf, testNotification } from "@muster/control-plane/alerts/delivery/notification";
import { signatureOf } from "@muster/control-plane/alerts/delivery/signature";
import { completeReceiver, type ReceiverInput } from "@muster/control-plane/alerts/receiver";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const WEBHOOK = { webhook: { url: "https://ops.example/hook" } };
const EMAIL = { host: "mail.example", from: "muster@x.example", to: ["ops@x.example"] };

const alertOf = (id: string, given: Partial<Alert> = {}): Alert => ({
  id,
  rule: "hot",
  group: id,
  place: { device: id, name: "press-1", site: "eu", hardwareClass: "x", rollout: null },
  severity: "warning",
  signal: "temperatureC",
  state: "firing",
  since: 0,
  firedAt: 60_000,
  quietSince: null,
  unknownSince: null,
  resolvedAt: null,
  resolvedReason: null,
  breaching: 1,
  members: 1,
  value: 95,
  examples: ["press-1"],
  summary: `${id} is hot.`,
  remedy: "Cool it.",
  ...given,
});

const outgoing = (firing: Alert[], resolved: Alert[] = []) => ({
  receiver: completeReceiver("ops", WEBHOOK),
  group: "hot",
  reason: "changed" as const,
  firing,
  resolved,
  told: [],
});

describe("a receiver", () => {
  const wrong: [string, ReceiverInput][] = [
    ["nothing", {}],
    ["two ways", { ...WEBHOOK, email: EMAIL }],
    ["a file", { webhook: { url: "file:///etc/passwd" } }],
    ["no URL", { webhook: { url: "ops.example" } }],
    ["a password in the URL", { webhook: { url: "https://a:b@ops.example" } }],
    ["a password without TLS", { email: { ...EMAIL, tls: "none", user: "u", password: "p" } }],
    ["a password without a user", { email: { ...EMAIL, password: "p" } }],
  ];
  for (const [what, input] of wrong)
    it(`with ${what} is refused`, () =>
      assert.throws(
        () => completeReceiver("ops", input),
        (error) => isMusterError(error, "alert.receiver-invalid"),
      ));

  it("may be on loopback or in a private network, where edge sites are", () => {
    for (const url of ["http://127.0.0.1:9/x", "http://10.0.0.7/", "http://[::1]:80/", "https://nas.local/"])
      assert.equal(completeReceiver("ops", { webhook: { url } }).target.kind, "webhook");
  });

  it("by e-mail demands TLS unless told otherwise, on the port that goes with it", () => {
    const port = (tls: "starttls" | "implicit" | "none") => {
      const { target } = completeReceiver("ops", { email: { ...EMAIL, tls } });
      return target.kind === "email" ? target.port : 0;
    };
    assert.deepEqual([port("starttls"), port("implicit"), port("none")], [587, 465, 587]);
    const { target } = completeReceiver("ops", { email: EMAIL });
    assert.equal(target.kind === "email" && target.tls, "starttls");
  });
});

describe("the wait between attempts", () => {
  it("grows to a quarter of an hour, with a random half", () => {
    assert.equal(retryDelay(1, 0), 2_500);
    assert.equal(retryDelay(1, 0.999999), 5_000);
    assert.equal(retryDelay(4, 0), 20_000);
    assert.equal(retryDelay(50, 0), 450_000);
  });

  it("heeds Retry-After, up to an hour", () => {
    assert.equal(retryDelay(1, 0, 60_000), 60_000);
    assert.equal(retryDelay(1, 0, 99_000_000), 3_600_000);
  });

  it("is always finite and positive", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (n, r) => {
          const delay = retryDelay(n, r);
          assert.ok(delay >= 2_500 && delay <= 900_000);
        },
      ),
    );
  });
});

describe("a notification", () => {
  it("is signed with its time", () => {
    const expected = createHmac("sha256", "key-of-the-hook-1").update('1700000000.{"a":1}').digest("hex");
    assert.equal(
      signatureOf("key-of-the-hook-1", '{"a":1}', 1_700_000_000_999),
      `t=1700000000,v1=${expected}`,
    );
  });

  it("puts the worst first and says how much is not written out", () => {
    const many = Array.from({ length: 120 }, (_each, index) => alertOf(`a${index}`));
    const body = notificationOf(
      outgoing([...many, alertOf("worst", { severity: "critical" })], [alertOf("old")]),
      "n1",
      5,
    );
    assert.equal(body.status, "firing");
    assert.equal(body.severity, "critical");
    assert.equal(body.firing[0]?.id, "worst");
    assert.equal(body.firing.length, 100);
    assert.equal(body.omitted, 22);
    assert.equal(body.summary, "worst is hot. And 120 more.");
    assert.equal(body.group, "rule:hot");
  });

  it("reads well as a mail", () => {
    const { subject, text } = mailOf(
      notificationOf(outgoing([alertOf("a")], [alertOf("b", { resolvedAt: 120_000 })]), "n1", 5),
    );
    assert.equal(subject, "[muster warning] a is hot.");
    assert.match(text, /WARNING {2}a is hot\.\n {2}do: {4}Cool it\.\n {2}since: 1970-01-01T00:01:00\.000Z/);
    assert.match(
      text,
      /RESOLVED {2}b is hot\.\n {2}from 1970-01-01T00:01:00\.000Z to 1970-01-01T00:02:00\.000Z/,
    );
  });

  it("has a subject on one line whatever it says, and marks ends and tests", () => {
    const evil = mailOf(
      notificationOf(outgoing([alertOf("a", { summary: "a\r\nBcc: x@y\n\n\u001bb" })]), "n1", 5),
    );
    assert.equal(evil.subject, "[muster warning] a Bcc: x@y b");
    assert.match(evil.text, /^a Bcc: x@y b\n/);
    assert.ok(!/^Bcc/m.test(evil.text) && !evil.text.includes("\u001b"));
    assert.match(
      mailOf(notificationOf(outgoing([], [alertOf("b")]), "n", 5)).subject,
      /^\[muster resolved\] Over: /,
    );
    assert.match(mailOf(testNotification("ops", "n", 5)).subject, /^\[muster test\]/);
  });
});
