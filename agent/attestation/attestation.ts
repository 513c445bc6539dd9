import { setTimeout as delay } from "node:timers/promises";
import { asMusterError } from "@muster/shared/errors";
import type { Challenge, Evidence } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import { Chain } from "./chain.ts";
import { EvidenceMaker, type TpmStanding } from "./maker.ts";
import { changeKeyOf } from "./measurement.ts";
import type { AttestationPorts, AttestationSettings } from "./ports.ts";

/** How often it is looked whether what runs has settled, milliseconds. */
const SETTLE_LOOK_MS = 100;

/** Until evidence that could not be made is tried again, milliseconds. */
const RETRY_MS = 60_000;

/** What `muster-agent status` shows. */
export interface AttestationStatus {
  /** Digest of the agent's own code; null until it is measured. */
  agent: Digest | null;
  tpm: TpmStanding;
  /** The agent's own PCR; `foreign` when somebody else extended or reset it. Null without one. */
  ownPcr: { pcr: number; foreign: boolean } | null;
  /** The disk was put back to an earlier state. */
  rolledBack: boolean;
  /** Newest link of the chain. */
  chain: { index: number; digest: Digest } | null;
  last: { at: number; answered: "challenge" | "nobody" } | null;
}

/**
 * Answers challenges with evidence, and makes evidence by itself at the start, after each change of what runs and
 * whenever nobody asked for long. All of it takes its turn behind what the box is for: nothing waits for it.
 */
export class Attestation {
  readonly #ports: AttestationPorts;
  readonly #settings: AttestationSettings;
  readonly #chain: Chain;
  readonly #stopping = new AbortController();
  #maker: Promise<EvidenceMaker> | undefined;
  #made: EvidenceMaker | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #newest = 0;
  #timer: NodeJS.Timeout | undefined;
  #last: AttestationStatus["last"] = null;
  /** What ran by the newest link; undefined before the first of this start. */
  #told: string | undefined;
  /** A link about a change waits for its turn. */
  #telling = false;

  /** @throws MusterError of the storage family */
  constructor(ports: AttestationPorts, settings: AttestationSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.#chain = new Chain(ports.database);
  }

  /** Begins with a link of its own, once it is known what runs. */
  start(): void {
    void this.#settled(this.#settings.settleMs.start).then(() => this.#tellChange());
  }

  /** Ends at the next safe point. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#queue;
  }

  /** Has to be called when what runs may have changed. */
  changed(): void {
    if (this.#told !== undefined && !this.#telling && !this.#isTold()) this.#tellChange();
  }

  /**
   * Links to be sent for this challenge, oldest first: those that the control plane may lack, and the answer. Of
   * challenges that come while one is answered only the newest is.
   */
  answer(challenge: Challenge): Promise<Evidence[]> {
    this.#newest += 1;
    const number = this.#newest;
    return this.#inTurn(async () => {
      if (number !== this.#newest) return [];
      const { nonce, have } = challenge;
      if (have.chain !== null) this.#chain.known(have.chain);
      if (!this.#chain.hasAnswered(nonce)) {
        await this.#settled(this.#settings.settleMs.answer);
        const maker = await this.#ready();
        const evidence = await maker.make(this.#chain.place(), challenge, this.#stopping.signal);
        this.#chain.add(evidence);
        this.#note(evidence);
      }
      // A box that was enrolled anew has links of who it was before.
      return this.#chain.waiting().filter(({ payload }) => payload.device === this.#ports.device);
    }, []);
  }

  status(): AttestationStatus {
    const { index, previous } = this.#chain.place();
    return {
      agent: this.#made?.codeDigest ?? null,
      tpm: this.#made?.tpm ?? { state: "none" },
      ownPcr: this.#made?.ownPcr ?? null,
      rolledBack: this.#made?.rolledBack ?? false,
      chain: previous === null ? null : { index: index - 1, digest: previous },
      last: this.#last,
    };
  }

  #tellChange(): void {
    this.#telling = true;
    void this.#inTurn(async () => {
      this.#telling = false;
      if (this.#told === undefined || !this.#isTold()) await this.#linkByItself();
    });
  }

  async #linkByItself(): Promise<void> {
    const maker = await this.#ready();
    const evidence = await maker.make(this.#chain.place(), undefined, this.#stopping.signal);
    const { at } = evidence.payload;
    this.#chain.add(evidence, () => this.#ports.outbox.append([{ kind: "evidence", at, body: evidence }]));
    this.#note(evidence);
  }

  #note({ payload }: Evidence): void {
    this.#last = { at: payload.at, answered: payload.nonce === null ? "nobody" : "challenge" };
    if (payload.measurement.runner !== "starting") this.#told = changeKeyOf(payload.measurement);
    this.#arm(this.#settings.evidenceMs);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#linkByItself()), ms).unref();
  }

  /** A runner that starts again is no change of what runs. */
  #isTold(): boolean {
    const { settled, state } = this.#ports.running();
    return !settled || changeKeyOf({ release: state.running, components: state.components }) === this.#told;
  }

  /** Resolves when it is known what runs, or after this time. */
  async #settled(mostMs: number): Promise<void> {
    const { signal } = this.#stopping;
    for (let waited = 0; waited < mostMs && !signal.aborted; waited += SETTLE_LOOK_MS) {
      if (this.#ports.running().settled) return;
      await delay(SETTLE_LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The code is measured once; after a failure, when it is needed the next time. */
  async #ready(): Promise<EvidenceMaker> {
    this.#maker ??= this.#ports
      .codeDigest()
      .then((digest) => new EvidenceMaker(digest, this.#ports, this.#settings));
    try {
      this.#made = await this.#maker;
      return this.#made;
    } catch (error) {
      this.#maker = undefined;
      throw error;
    }
  }

  /** One after the other. What fails is told, and `otherwise` stands for it. */
  #inTurn(work: () => Promise<void>): Promise<void>;
  #inTurn<T>(work: () => Promise<T>, otherwise: T): Promise<T>;
  #inTurn<T>(work: () => Promise<T>, otherwise?: T): Promise<T | undefined> {
    const turn = this.#queue.then(async () => {
      if (this.#stopping.signal.aborted) return otherwise;
      try {
        return await work();
      } catch (error) {
        if (!this.#stopping.signal.aborted) this.#failed(error);
        return otherwise;
      }
    });
    this.#queue = turn;
    return turn;
  }

  #failed(error: unknown): void {
    const { code, message } = asMusterError(error);
    this.#ports.log.warn({ code }, `no evidence could be made: ${message}`);
    this.#ports.notice(code, `No evidence could be made: ${message}`);
    this.#arm(Math.min(RETRY_MS, this.#settings.evidenceMs));
  }
}
