import {
  type Challenge,
  extensionDigestOf,
  type MeasuredExtension,
  NO_RELEASE,
  type TpmEvidence,
} from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { TpmQuote } from "../tpm/tpm.ts";
import type { BootLogs } from "./boot-logs.ts";
import type { MeasuredLogStore } from "./measured-log.ts";
import { nextPcrStep, type PcrStep } from "./own-pcr.ts";
import type { AttestationTpm, Running } from "./ports.ts";

export type PcrSelection = Challenge["pcrs"];

/** PCRs quoted where no challenge said which: firmware and boot loader. */
export const DEFAULT_PCRS: PcrSelection = { bank: "sha256", indices: [0, 1, 2, 3, 4, 5, 6, 7] };

/** Quotes that one piece of evidence may take until its PCR says what runs. */
const MOST_STEPS = 16;

interface OwnPcrPorts {
  pcr: number;
  log: MeasuredLogStore;
  codeDigest: Digest;
  now: () => number;
}

/** The agent's own PCR: brought up to date while it is quoted, so that a quote never tells an old release. */
export class OwnPcr {
  readonly pcr: number;
  readonly #ports: OwnPcrPorts;
  #toldStart = false;
  #foreign = false;

  constructor(ports: OwnPcrPorts) {
    this.#ports = ports;
    this.pcr = ports.pcr;
  }

  /** True when the PCR was not what the list makes at the last look. */
  get foreign(): boolean {
    return this.#foreign;
  }

  /** Quotes until the PCR holds this start of the agent and what runs. @throws MusterError of the family `tpm.` */
  async quoted(
    tpm: AttestationTpm,
    running: Running,
    quote: () => Promise<TpmQuote>,
    bank: PcrSelection["bank"],
  ) {
    const { log } = this.#ports;
    let found = await quote();
    for (let steps = 0; steps < MOST_STEPS; steps += 1) {
      const { resetCount, restartCount } = found.clock;
      const value = found.pcrs.get(this.pcr)?.toString("hex") ?? "";
      const step = nextPcrStep(
        log.read(),
        { epoch: { resetCount, restartCount }, bank, value },
        { agent: this.#toldStart ? null : this.#ports.codeDigest, release: releaseOf(running) },
      );
      if (step.do === "nothing") {
        this.#foreign = step.foreign;
        break;
      }
      if (await this.#take(step, tpm)) found = await quote();
    }
    return found;
  }

  /** How the PCR came about, as it is told. */
  told(bank: PcrSelection["bank"]): NonNullable<TpmEvidence["own"]> {
    const { base, extensions, dropped } = this.#ports.log.read();
    return { pcr: this.pcr, base: base[bank], extensions: [...extensions], dropped };
  }

  /** @returns true when the PCR is another one now */
  async #take(step: Exclude<PcrStep, { do: "nothing" }>, tpm: AttestationTpm): Promise<boolean> {
    const { log, now } = this.#ports;
    if (step.do === "begin") {
      this.#toldStart = false;
      log.begin(step.epoch);
    } else if (step.do === "resume") log.resume(step.epoch);
    else if (step.do === "settle") log.settle();
    else if (step.do === "redo") {
      await this.#extend(tpm, log.read().pending!);
      return true;
    } else
      for (const by of step.by) {
        const extension = { at: now(), ...by };
        log.pend(extension);
        await this.#extend(tpm, extension);
      }
    return step.do === "extend";
  }

  async #extend(tpm: AttestationTpm, extension: MeasuredExtension): Promise<void> {
    await tpm.extend(this.pcr, extensionDigestOf(extension));
    this.#ports.log.settle();
    if (extension.what === "agent" && extension.digest === this.#ports.codeDigest) this.#toldStart = true;
  }
}

/** The release to be extended; null while what runs is not proven yet. */
function releaseOf({ state, settled }: Running): Digest | null {
  if (state.running) return state.running.digest as Digest;
  return settled && state.runner === "idle" ? NO_RELEASE : null;
}

/** What a TPM says about the box; logs are read after the quote. @throws MusterError of the family `tpm.` */
export async function tpmEvidence(
  tpm: AttestationTpm,
  own: OwnPcr | undefined,
  running: Running,
  qualifyingData: Uint8Array,
  selection: PcrSelection,
  have: Challenge["have"] | undefined,
  logs: BootLogs,
): Promise<TpmEvidence> {
  const { bank } = selection;
  const indices = [...new Set([...selection.indices, ...(own ? [own.pcr] : [])])].sort((a, b) => a - b);
  const { name } = await tpm.attestationKey();
  const quote = () => tpm.quote(bank, indices, qualifyingData);
  const found = own ? await own.quoted(tpm, running, quote, bank) : await quote();
  return {
    akName: name.toString("hex"),
    quote: found.quote.toString("base64"),
    signature: found.signature.toString("base64"),
    pcrs: {
      [bank]: Object.fromEntries([...found.pcrs].map(([index, value]) => [index, value.toString("hex")])),
    },
    own: own ? own.told(bank) : null,
    bootLog: await logs.bootLog(have && (have.bootLog as Digest | null)),
    ima: await logs.imaSlice(have?.ima),
  };
}
