import { asMusterError, type ErrorCode, MusterError } from "@muster/shared/errors";
import {
  type Challenge,
  type Evidence,
  type EvidencePayload,
  qualifyingDataOf,
  signEvidence,
  type TpmEvidence,
} from "@muster/shared/protocol/evidence";
import { type Digest, PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import { BootLogs } from "./boot-logs.ts";
import type { Place } from "./chain.ts";
import { MeasuredLogStore } from "./measured-log.ts";
import { measurementOf } from "./measurement.ts";
import type { AttestationPorts, AttestationSettings, AttestationTpm, Running } from "./ports.ts";
import { PutBackCheck } from "./put-back.ts";
import { DEFAULT_PCRS, OwnPcr, type PcrSelection, tpmEvidence } from "./quote.ts";

/** What the TPM of the box did at the last piece of evidence. */
export type TpmStanding = { state: "none" | "quoted" } | { state: "failed"; code: string; message: string };

/** Makes evidence: measures, has the TPM quote where there is one, and signs. */
export class EvidenceMaker {
  readonly codeDigest: Digest;
  readonly #ports: AttestationPorts;
  readonly #settings: AttestationSettings;
  readonly #own: OwnPcr | undefined;
  readonly #putBack: PutBackCheck;
  readonly #logs: BootLogs;
  #counted = false;
  #rolledBack = false;
  #standing: TpmStanding = { state: "none" };
  /** What the newest challenge asked for: a link that answers none quotes the same. */
  #selection: PcrSelection = DEFAULT_PCRS;
  #stuck: Promise<unknown> | undefined;

  constructor(codeDigest: Digest, ports: AttestationPorts, settings: AttestationSettings) {
    this.codeDigest = codeDigest;
    this.#ports = ports;
    this.#settings = settings;
    const { database, now } = ports;
    this.#putBack = new PutBackCheck(database);
    this.#logs = new BootLogs(settings, (message) => this.#tell("attestation.log-unreadable", message));
    if (settings.measurementPcr !== null)
      this.#own = new OwnPcr({
        pcr: settings.measurementPcr,
        log: new MeasuredLogStore(database, settings.measurementPcr),
        codeDigest,
        now,
      });
  }

  get tpm(): TpmStanding {
    return this.#standing;
  }

  get rolledBack(): boolean {
    return this.#rolledBack;
  }

  /** @returns null without an own PCR */
  get ownPcr(): { pcr: number; foreign: boolean } | null {
    return this.#own ? { pcr: this.#own.pcr, foreign: this.#own.foreign } : null;
  }

  /**
   * Evidence for this place of the chain. A TPM that fails is told, and left out of it.
   * @param stop ends it: nobody waits for a chip that takes its time
   * @throws MusterError `request.conflict` when it was ended
   */
  async make(place: Place, challenge: Challenge | undefined, stop: AbortSignal): Promise<Evidence> {
    const { device, key, boot, agentVersion, now, running } = this.#ports;
    if (challenge) this.#selection = challenge.pcrs;
    const tpm = await this.#inTime(() => this.#openTpm(), stop);
    const runs = running();
    const fixed = { boot, agentVersion, codeDigest: this.codeDigest, rolledBack: this.#rolledBack };
    const payload: EvidencePayload = {
      v: PROTOCOL_VERSION,
      device,
      nonce: challenge?.nonce ?? null,
      session: challenge?.session ?? null,
      at: now(),
      chain: place,
      measurement: measurementOf(fixed, runs),
      tpm: null,
    };
    const said = tpm && (await this.#inTime(() => this.#ask(tpm, payload, runs, challenge), stop));
    return signEvidence({ ...payload, tpm: said ?? null }, key());
  }

  async #openTpm(): Promise<AttestationTpm | undefined> {
    const tpm = await this.#ports.tpm();
    if (!tpm) this.#standing = { state: "none" };
    else if (!this.#counted) await this.#count(tpm);
    return tpm;
  }

  /** Once a start; a counter that does not answer is asked again with the next piece of evidence. */
  async #count(tpm: AttestationTpm): Promise<void> {
    try {
      const finding = await this.#putBack.run(tpm.counter());
      this.#counted = true;
      if (finding === "put-back") {
        this.#rolledBack = true;
        this.#tell("attestation.disk-put-back");
      } else if (finding === "replaced") this.#tell("attestation.counter-replaced");
    } catch (error) {
      const { code, message } = asMusterError(error);
      this.#tell(code, `The counter of the TPM could not be read: ${message}`);
    }
  }

  async #ask(
    tpm: AttestationTpm,
    payload: EvidencePayload,
    runs: Running,
    challenge: Challenge | undefined,
  ): Promise<TpmEvidence> {
    const nonce = qualifyingDataOf(payload);
    const said = await tpmEvidence(
      ...([tpm, this.#own, runs, nonce, this.#selection, challenge?.have, this.#logs] as const),
    );
    this.#standing = { state: "quoted" };
    if (this.#own?.foreign) this.#tell("attestation.measurement-log");
    return said;
  }

  /** A TPM that hangs is not asked again before it has answered. */
  async #inTime<T>(ask: () => Promise<T>, stop: AbortSignal): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    let end = (): void => undefined;
    try {
      if (this.#stuck) throw new MusterError("tpm.timeout");
      const asked = ask();
      const late = new Promise<never>((_resolve, reject) => {
        end = () => reject(new MusterError("request.conflict", "The agent ends."));
        stop.addEventListener("abort", end);
        timer = setTimeout(() => {
          const forget = () => {
            this.#stuck = undefined;
          };
          this.#stuck = asked.then(forget, forget);
          reject(new MusterError("tpm.timeout"));
        }, this.#settings.tpmMs);
      });
      return await Promise.race([asked, late]);
    } catch (error) {
      if (stop.aborted) throw error;
      const { code, message } = asMusterError(error);
      this.#standing = { state: "failed", code, message };
      this.#tell(code, `Evidence goes without the TPM: ${message}`);
      return undefined;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
    }
  }

  #tell(code: ErrorCode, message = new MusterError(code).message): void {
    this.#ports.log.warn({ code }, message);
    this.#ports.notice(code, message);
  }
}
