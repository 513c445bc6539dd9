import { gzipSync } from "node:zlib";
import { type Challenge, extensionDigestOf, type TpmEvidence } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { ClockInfo } from "@muster/shared/tpm/attest";
import { parseEventLog, replay } from "@muster/shared/tpm/event-log";
import { extendPcr } from "@muster/shared/tpm/pcr";
import { encodePublic, nameOf } from "@muster/shared/tpm/public-area";
import { sha256 } from "@muster/shared/trust/digest";
import { type BootFacts, usualBoot } from "../boot-log/usual-boot.ts";
import { writeBootLog } from "../boot-log/write.ts";
import { imaLine, imaTemplateData, type MeasuredFile } from "../ima-list.ts";
import { makeQuote } from "../made-tpm/attest.ts";
import { type KeyKind, type MadeKey, makeAttestationKey } from "../made-tpm/keys.ts";

const OWN_PCR = 23;
const IMA_PCR = 10;
const NOTHING = { bootLog: null, ima: 0, chain: null };

/** A box with measured boot and a TPM that is kept in memory: what it says may be changed at every place. */
export class MadeBox {
  readonly key: MadeKey;
  clock: ClockInfo = { clock: 1_000_000n, resetCount: 3, restartCount: 0, safe: true };
  pcrs = new Map<number, Buffer>();
  bootLog: Buffer = Buffer.alloc(0);
  lines: string[] = [];
  extensions: { at: number; what: "agent" | "release"; digest: Digest }[] = [];
  /** PCRs that it quotes whatever was asked. */
  quotes: readonly number[] | undefined;
  /** What it makes of what it would say: the device signs whatever comes of it. */
  lies: (said: TpmEvidence) => TpmEvidence = (said) => said;

  constructor(facts: Partial<BootFacts> = {}, kind: KeyKind = "ecc") {
    this.key = makeAttestationKey(kind);
    this.boot(facts);
  }

  get akPublic(): string {
    return encodePublic(this.key.area).toString("base64");
  }

  get akName(): string {
    return nameOf(this.key.area).toString("hex");
  }

  /** Starts, after a power cut or in order. */
  boot(facts: Partial<BootFacts> = {}, safe = true): void {
    this.clock = {
      clock: this.clock.clock + 60_000n,
      resetCount: this.clock.resetCount + 1,
      restartCount: 0,
      safe,
    };
    this.bootLog = writeBootLog(usualBoot(facts));
    const values = replay(parseEventLog(this.bootLog), "sha256");
    this.pcrs = new Map(
      Array.from({ length: 24 }, (_, pcr) => [pcr, Buffer.from(values.get(pcr) ?? "00".repeat(32), "hex")]),
    );
    this.lines = [];
    this.extensions = [];
  }

  measure(what: "agent" | "release", digest: Digest): void {
    const extension = { at: 1, what, digest };
    this.extensions.push(extension);
    this.extend(OWN_PCR, extensionDigestOf(extension));
  }

  use(file: MeasuredFile): void {
    this.lines.push(imaLine(file));
    const data = imaTemplateData(file);
    this.extend(IMA_PCR, file.violation ? Buffer.alloc(32, 0xff) : Buffer.from(sha256(data).slice(7), "hex"));
  }

  extend(pcr: number, digest: Buffer): void {
    this.pcrs.set(pcr, extendPcr("sha256", this.pcrs.get(pcr) ?? Buffer.alloc(32), digest));
  }

  /** What its TPM says, as the agent sends it. */
  quoting = async (qualifyingData: Uint8Array, challenge: Challenge | null): Promise<TpmEvidence> => {
    this.clock = { ...this.clock, clock: this.clock.clock + 1_000n };
    const asked = this.quotes ?? [...(challenge?.pcrs.indices ?? [0, 1, 2, 3, 4, 5, 6, 7]), OWN_PCR];
    const pcrs = new Map([...new Set(asked)].map((pcr) => [pcr, this.pcrs.get(pcr) ?? Buffer.alloc(32)]));
    const made = makeQuote({ key: this.key, nonce: qualifyingData, bank: "sha256", pcrs, clock: this.clock });
    const have = challenge?.have ?? NOTHING;
    const digest = sha256(this.bootLog);
    const from = have.ima <= this.lines.length ? have.ima : 0;
    const slice = this.lines.slice(from);
    return this.lies({
      akName: this.akName,
      quote: made.quote.toString("base64"),
      signature: made.signature.toString("base64"),
      pcrs: { sha256: Object.fromEntries([...pcrs].map(([pcr, value]) => [pcr, value.toString("hex")])) },
      own: { pcr: OWN_PCR, base: "00".repeat(32), extensions: this.extensions, dropped: 0 },
      bootLog: {
        digest,
        bytes: this.bootLog.length,
        gzip: challenge && have.bootLog !== digest ? gzipSync(this.bootLog).toString("base64") : null,
        oversized: false,
      },
      ima:
        this.lines.length === 0
          ? null
          : {
              total: this.lines.length,
              from,
              lines: slice.length,
              gzip: gzipSync(slice.join("")).toString("base64"),
            },
    });
  };
}
