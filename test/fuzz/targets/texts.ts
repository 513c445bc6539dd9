import { addressOf } from "@muster/agent/tpm/address";
import { parseSelector, printSelector } from "@muster/control-plane/fleet/selector";
import { sessionCookieOf, signInCookieOf } from "@muster/control-plane/people/cookies";
import { requestedRange } from "@muster/control-plane/releases/byte-range";
import { parseWindow, printWindow } from "@muster/shared/time/weekly-window";
import { formatJoinToken, parseJoinToken } from "@muster/shared/trust/join-token";
import { hold, type Target } from "../target.ts";

const text = (name: string, seeds: readonly string[], take: (input: string) => void): Target => ({
  name,
  form: "bytes",
  seeds: seeds.map((seed) => Buffer.from(seed)),
  take: (input) => take(input.toString("utf8")),
});

const secret = "s".repeat(43);

/** Short texts that people and headers carry. */
export const textTargets = (): Target[] => [
  text(
    "selector",
    ["a=b", "site in (eu/de,us),!lab,model!=x", "liveness=online", "version notin (1.0, 2)"],
    (input) => {
      const printed = printSelector(parseSelector(input));
      hold(printSelector(parseSelector(printed)) === printed, "a printed selector reads the same");
    },
  ),
  text(
    "join token",
    [`muster1.abcdefgh.${secret}.${secret}`, `muster1.abcdefgh.${secret}.${secret}.${secret}`],
    (input) => {
      const token = parseJoinToken(input);
      hold(formatJoinToken(token) === input.trim(), "a join token is written as it was read");
    },
  ),
  text("range header", ["bytes=0-", "bytes=10-20", "bytes=-5", "bytes=0-1,5-6", "bytes = 7 - 9"], (range) => {
    const size = 1000;
    const asked = requestedRange({ range, ifRange: undefined }, size, '"x"');
    if (typeof asked === "object")
      hold(asked.start >= 0 && asked.start <= asked.end && asked.end < size, "a range lies within the file");
  }),
  text("weekly window", ["mon-fri 22:00-05:00", "sat,sun 00:00-24:00", "02:00-05:00"], (input) => {
    const printed = printWindow(parseWindow(input));
    hold(printWindow(parseWindow(printed)) === printed, "a printed window reads the same");
  }),
  text("cookie header", ["a=b; __Host-muster=abc; c", "__Host-muster-sign-in=x=y"], (input) => {
    sessionCookieOf(input);
    signInCookieOf(input);
  }),
  text(
    "TPM setting",
    ["auto", "device:/dev/tpmrm0", "swtpm:localhost:2321", "swtpm:unix:/run/tpm"],
    (input) => {
      addressOf(input);
    },
  ),
];
