import { parseAttest } from "@muster/shared/tpm/attest";
import { makeCredential } from "@muster/shared/tpm/credential";
import { parseEventLog, replay } from "@muster/shared/tpm/event-log";
import { ImaReplay, parseImaLines } from "@muster/shared/tpm/ima-log";
import {
  checkAttestationKey,
  checkEndorsementKey,
  encodePublic,
  nameOf,
  parsePublic,
  toKeyObject,
} from "@muster/shared/tpm/public-area";
import { verifyQuote } from "@muster/shared/tpm/quote";
import { parseSignature, verifyAttest } from "@muster/shared/tpm/signature";
import { usualBoot } from "../../support/boot-log/usual-boot.ts";
import { writeBootLog, writeSha1BootLog } from "../../support/boot-log/write.ts";
import { imaLine } from "../../support/ima-list.ts";
import { makeQuote, writeAttest } from "../../support/made-tpm/attest.ts";
import { makeAttestationKey, makeEndorsementArea } from "../../support/made-tpm/keys.ts";
import { hold, type Target } from "../target.ts";

const nonce = Buffer.alloc(32, 7);
const pcrs = new Map([0, 1, 7, 23].map((pcr) => [pcr, Buffer.alloc(32, pcr)]));
const claimed = { sha256: Object.fromEntries(pcrs) };

/** Zeros that are events without content, and no padding for the one byte behind them. */
const emptyEvents = (): Buffer =>
  Buffer.concat([writeBootLog([], ["sha256"]), Buffer.alloc(384 * 1024), Buffer.of(1)]);

export function tpmTargets(): Target[] {
  const keys = [makeAttestationKey("rsa"), makeAttestationKey("ecc"), makeAttestationKey("p384")];
  const [rsa] = keys as [(typeof keys)[0]];
  const eks = [makeEndorsementArea("rsa"), makeEndorsementArea("ecc")];
  const quotes = keys.map((key) => makeQuote({ key, nonce, bank: "sha256", pcrs }));
  const head = parseAttest(quotes[0]?.quote ?? Buffer.alloc(0));
  const certify = { name: nameOf(rsa.area), qualifiedName: nameOf(rsa.area) };
  const { quote: _, ...common } = head;
  const attests = [...quotes.map(({ quote }) => quote), writeAttest({ ...common, type: "certify", certify })];
  const files = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
    imaLine({
      path: `/usr/bin/tool-${i}`,
      content: `${i}`,
      ...(i % 2 ? { signature: "0302aa" } : {}),
      violation: i === 6,
    }),
  );
  const logs = [
    writeBootLog(usualBoot({ locality: 3 }), ["sha256", "sha384"]),
    writeBootLog(usualBoot({ secureBoot: false })),
    writeSha1BootLog(usualBoot()),
    emptyEvents(),
  ];
  return [
    {
      name: "tpm public area",
      form: "bytes",
      seeds: [...keys.map(({ area }) => area), ...eks].map(encodePublic),
      take: (input) => {
        const area = parsePublic(input);
        hold(encodePublic(area).equals(input), "a public area is written as it was read");
        nameOf(area);
        toKeyObject(area);
        try {
          checkAttestationKey(area);
        } catch {
          checkEndorsementKey(area);
          makeCredential(area, nonce, nonce, (count) => Buffer.alloc(count, 1));
          return;
        }
        verifyAttest(area, attests[0] ?? nonce, quotes[0]?.signature ?? nonce);
      },
    },
    {
      name: "tpm attestation",
      form: "bytes",
      seeds: attests,
      take: (input) => void parseAttest(input),
    },
    {
      name: "tpm signature",
      form: "bytes",
      seeds: quotes.map(({ signature }) => signature),
      take: (input) => {
        parseSignature(input);
        for (const { area } of keys) verifyAttest(area, nonce, input);
      },
    },
    {
      name: "tpm quote, signed anew",
      form: "bytes",
      seeds: attests,
      take: (input) => {
        const required = { bank: "sha256", indices: [0, 7] } as const;
        const quote = Buffer.from(input);
        const verified = verifyQuote({
          ak: rsa.area,
          quote,
          signature: rsa.sign(quote),
          nonce,
          pcrs: claimed,
          required,
        });
        hold(verified.pcrs.sha256?.[7] !== undefined, "what is required is covered");
      },
    },
    {
      name: "boot log",
      form: "bytes",
      seeds: logs,
      take: (input) => {
        const log = parseEventLog(input);
        for (const { description, typeName } of log.events)
          hold(description.length + typeName.length < 1000, "descriptions are short");
        for (const bank of log.banks) replay(log, bank);
      },
    },
    {
      name: "IMA list",
      form: "bytes",
      seeds: [files.join(""), files[1] ?? "", files[6] ?? ""].map((text) => Buffer.from(text)),
      take: (input) => {
        const replayed = ImaReplay.start(["sha256"]);
        for (const entry of parseImaLines(input.toString("utf8"))) replayed.extend(entry);
      },
    },
  ];
}
